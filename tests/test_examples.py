"""The worked example of the README: a repository that builds on an installed library."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/own_models"


@pytest.fixture(scope="module")
def expanded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "own_models"
    ignored = shutil.ignore_patterns("generated", ".codegen_cache")
    shutil.copytree(EXAMPLE, folder, ignore=ignored)
    command = [sys.executable, "-m", "codegen", "sync", "--root", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "generated"


@pytest.mark.parametrize("model", ["pebble", "boulder"])
def test_files_stand_on_their_own(expanded: Path, model: str) -> None:
    text = (expanded / model / f"modeling_{model}.py").read_text(encoding="utf-8")
    modules = {
        ("." * node.level) + (node.module or "")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
    }
    assert not [name for name in modules if name.startswith(".") or ".models." in name]
    assert "Llama" not in text


def test_the_inherited_definition_reaches_its_child(expanded: Path) -> None:
    pebble = (expanded / "pebble/modeling_pebble.py").read_text(encoding="utf-8")
    boulder = (expanded / "boulder/modeling_boulder.py").read_text(encoding="utf-8")
    assert "self.gain = nn.Parameter(torch.ones(config.hidden_size))" in pebble
    assert "self.gain = 1.0" in boulder
    assert "nn.Parameter(torch.ones(config.hidden_size))" not in boulder
    assert "class BoulderRMSNorm(nn.Module):" in boulder


def test_the_pass_of_the_project_ran(expanded: Path) -> None:
    for model in ("pebble", "boulder"):
        text = (expanded / model / f"modeling_{model}.py").read_text(encoding="utf-8")
        assert "return nn.functional.rms_norm(" in text
        assert "torch.rsqrt" not in text


def test_generated_modules_run(expanded: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig

    config = LlamaConfig(hidden_size=16, num_attention_heads=4, num_key_value_heads=2)
    outputs = []
    for model, name in (("pebble", "PebbleAttention"), ("boulder", "BoulderAttention")):
        path = expanded / model / f"modeling_{model}.py"
        spec = importlib.util.spec_from_file_location(f"example_{model}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        torch.manual_seed(0)
        attention = getattr(module, name)(config, 0)
        torch.manual_seed(1)
        states = torch.randn(2, 5, 16)
        angles = torch.randn(2, 5, 4)
        outputs.append(attention(states, (angles.cos(), angles.sin())))
    # The gain starts at one, so both definitions agree before training.
    assert torch.equal(outputs[0], outputs[1])


def test_a_generated_folder_is_published_with_its_code(tmp_path: Path) -> None:
    """Saved with its code, it loads by its ``auto_map`` where nothing of this repository is known."""
    pytest.importorskip("transformers")
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
        "PYTHONPATH": "",
    }
    folder = tmp_path / "marble_vl"
    command = [sys.executable, "-m", "examples.publish_model", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MarbleVLVisionModel, depth 2: same outputs" in done.stdout
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert set(settings["auto_map"]) == {"AutoConfig", "AutoModel"}
    assert (folder / "encoder_helpers.py").is_file()


@pytest.mark.slow
def test_an_encoder_of_a_project_is_verified(tmp_path: Path) -> None:
    """With and without the passes, in processes of their own, as the given file describes it."""
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "codegen", "verify", "--root", str(EXAMPLE), "--checks", "ab"]
    command += ["--attention", "sdpa", "--format", "json"]
    environment = {**os.environ, "CODEGEN_CACHE_DIR": str(tmp_path)}
    cases = ["--cases", str(EXAMPLE / "cases.json")]
    done = subprocess.run(
        command + cases, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = [(item["case"], item["check"], item["ok"]) for item in json.loads(done.stdout)]
    assert results == [("marble_vl", "a", True), ("marble_vl", "b", True)]
    refused = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "give it with --cases" in refused.stdout
