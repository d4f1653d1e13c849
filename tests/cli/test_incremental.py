"""Only what an edit concerns is expanded again, and the result never depends on the way there."""

from __future__ import annotations

from random import Random

import pytest

from tests.cli.trees import ALPHA, BETA, DELTA, FAMILY, GAMMA, PROJECT, Sandbox


def _json(sandbox: Sandbox, *arguments: str):  # type: ignore[no-untyped-def]
    return sandbox.run(*arguments, "--format", "json")


def test_second_run_expands_and_writes_nothing(project: Sandbox) -> None:
    first = _json(project, "sync")
    assert first.expanded() == {"alpha", "beta", "gamma", "delta"}
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*.py")}
    second = _json(project, "sync")
    assert second.expanded() == set()
    assert all(item["written"] == [] for item in second.json["models"])
    assert before == {path: path.stat().st_mtime_ns for path in project.root.rglob("*.py")}


def test_edit_of_a_leaf_expands_only_the_leaf(project: Sandbox) -> None:
    project.run("sync")
    project.write({"gamma": f"{GAMMA}\n\nclass GammaHead:\n    pass\n"})
    assert _json(project, "sync").expanded() == {"gamma"}
    assert "class GammaHead" in project.generated("gamma").read_text()


def test_edit_of_a_root_expands_what_depends_on_it(project: Sandbox) -> None:
    project.run("sync")
    project.write({"alpha": ALPHA.replace("states * self.width", "states + self.width")})
    result = _json(project, "sync")
    assert result.expanded() == {"alpha", "beta", "gamma"}
    for model in ("alpha", "beta", "gamma"):
        assert "states + self.width" in project.generated(model).read_text()


def test_edit_that_changes_no_output_stops_there(project: Sandbox) -> None:
    """What builds on beta does not look at its definition, only at the file it generates."""
    project.run("sync")
    project.write({"beta": f"{BETA}\n"})
    result = _json(project, "sync")
    assert result.expanded() == {"beta"}
    assert all(item["written"] == [] for item in result.json["models"])


def test_touched_file_is_not_expanded(project: Sandbox) -> None:
    project.run("sync")
    project.definition("alpha").touch()
    assert _json(project, "sync").expanded() == set()


def test_edit_of_a_handwritten_parent(checkout: Sandbox) -> None:
    checkout.run("sync")
    parent = checkout.generated("alpha")
    parent.write_text(parent.read_text().replace("alpha_width", "alpha_depth"))
    result = _json(checkout, "sync")
    assert result.expanded() == {"beta", "gamma"}
    assert "self.gamma_depth" in checkout.generated("gamma").read_text()


def test_new_spelling_in_the_name_table(checkout: Sandbox) -> None:
    """The auto mapping decides spellings; only models that asked for one are concerned."""
    checkout.run("sync")
    table = checkout.root / "src/transformers/models/auto/configuration_auto.py"
    table.write_text(table.read_text().replace('("new",', '("new",').replace("DELTA", "Delta"))
    assert _json(checkout, "sync").expanded() <= {"delta"}
    table.write_text(table.read_text().replace("BetaConfig", "BETAConfig"))
    assert "beta" in _json(checkout, "sync").expanded()


def test_new_release_means_another_dialect(checkout: Sandbox) -> None:
    checkout.run("sync")
    init = checkout.root / "src/transformers/__init__.py"
    init.write_text('__version__ = "5.23.0"\n')
    assert _json(checkout, "sync").expanded() == {"beta", "gamma", "delta"}


def test_sync_of_one_model_brings_its_parents_up_to_date(project: Sandbox) -> None:
    project.run("sync")
    project.write({"alpha": ALPHA.replace("states * self.width", "states - self.width")})
    result = _json(project, "sync", "beta")
    assert result.expanded() == {"alpha", "beta"}
    assert result.json["dependents"] == ["gamma"]
    assert "states - self.width" in project.generated("alpha").read_text()
    assert "states - self.width" in project.generated("beta").read_text()
    assert "states * self.width" in project.generated("gamma").read_text()
    project.expect("dependents_not_looked_at", _again(project))


def _again(project: Sandbox):  # type: ignore[no-untyped-def]
    project.write({"alpha": ALPHA.replace("states * self.width", "states / self.width")})
    return project.run("sync", "alpha")


def test_class_that_a_stale_parent_file_lacks(project: Sandbox) -> None:
    """Without a cache everything is tried at once; failing on an old file is not final."""
    project.run("sync")
    project.write(
        {
            "alpha": f"{ALPHA}\n\nclass AlphaNew:\n    pass\n",
            "beta": BETA.replace("AlphaModel\n", "AlphaModel, AlphaNew\n")
            + "\n\nclass BetaNew(AlphaNew):\n    pass\n",
        }
    )
    result = project.run("sync", "--no-cache")
    assert (result.code, result.err) == (0, "")
    assert "class BetaNew" in project.generated("beta").read_text()


@pytest.mark.parametrize("tree", ["project", "checkout"])
def test_first_run_from_nothing(tree: str, request: pytest.FixtureRequest) -> None:
    sandbox: Sandbox = request.getfixturevalue(tree)
    result = sandbox.run("sync")
    assert (result.code, result.err) == (0, "")
    assert sandbox.run("check", "--no-cache").code == 0


@pytest.mark.parametrize("order", ["root first", "leaf first", "at once"])
def test_same_files_whatever_the_order(project: Sandbox, order: str) -> None:
    models = ["alpha", "beta", "gamma", "delta"]
    steps = {"root first": models, "leaf first": models[::-1], "at once": []}[order]
    for model in steps:
        assert project.run("sync", model).code == 0
    project.run("sync")
    kept = project.files()
    for model in models:
        project.generated(model).unlink()
    assert project.run("sync", "--no-cache").code == 0
    assert project.files() == kept


def test_deleted_output_is_written_again(project: Sandbox) -> None:
    project.run("sync")
    kept = project.files()
    project.generated("alpha").unlink()
    assert _json(project, "check").states()["alpha"] == "missing"
    assert _json(project, "sync").expanded() == {"alpha"}
    assert project.files() == kept


def test_handwritten_neighbour_that_appears_later(project: Sandbox) -> None:
    """The names that stand beside a generated file decide its imports."""
    alpha = ALPHA.replace('class AlphaConfig:\n    model_type = "alpha"\n\n\n', "")
    used = "from .configuration_alpha import AlphaConfig\n\n\nclass AlphaMLP:\n    config: AlphaConfig\n"
    project.write({"alpha": alpha.replace("class AlphaMLP:\n", used, 1)})
    project.run("sync")
    config = project.generated("beta", "configuration")
    config.write_text("class BetaConfig:\n    pass\n")
    with_cache = project.run("sync")
    kept = project.files()
    project.run("sync", "--no-cache")
    assert with_cache.code == 0
    assert project.files() == kept


def test_other_output_folder(project: Sandbox) -> None:
    elsewhere = project.root.parent / "elsewhere"
    assert project.run("sync", "--output", str(elsewhere)).code == 0
    assert project.outputs() == set(), "nothing is written in place"
    assert (elsewhere / "generated/gamma/modeling_gamma.py").is_file()
    assert project.run("check", "--output", str(elsewhere)).code == 0
    assert project.run("check").code == 1


def test_many_models_in_worker_processes(project: Sandbox) -> None:
    """More models than are worth expanding in this process; one and two jobs agree."""
    for index in range(12):
        text = GAMMA.replace("Gamma", f"Child{index}").replace("gamma", f"child{index}")
        project.write({f"child{index}": text})
    assert project.run_apart("sync", "--jobs", "1").code == 0
    kept = project.files()
    assert project.run_apart("sync", "--jobs", "100000", "--no-cache").code == 0
    assert project.files() == kept
    for model in ("alpha", "child3", "child11"):
        project.generated(model).unlink()
    assert project.run_apart("sync", "--jobs", "2", "--no-cache").code == 0
    assert project.files() == kept


def test_removed_class_leaves_no_file(project: Sandbox) -> None:
    """A definition that no longer gives a kind of file: the old one is an orphan."""
    project.run("sync")
    start, _, rest = ALPHA.partition("class AlphaConfig")
    project.write({"alpha": start + rest[rest.index("class AlphaMLP") :]})
    for options in ((), ("--no-cache",)):
        checked = project.run("check", *options)
        assert checked.code == 1
        assert "configuration_alpha.py: no longer generated" in checked.out
    result = project.run("sync")
    project.expect("removed_class", result)
    assert not project.generated("alpha", "configuration").exists()
    assert project.run("check").code == 0


def test_moved_definition(project: Sandbox) -> None:
    project.run("sync")
    old = project.definition("delta")
    new = project.root / "definitions/others/modular_delta.py"
    new.parent.mkdir()
    old.rename(new)
    for options in ((), ("--no-cache",)):
        assert "delta/modeling_delta.py: no longer generated" in project.run("check", *options).out
    assert project.run("sync").code == 0
    assert not project.generated("delta").exists()
    assert (project.root / "generated/others/modeling_delta.py").exists()
    assert _json(project, "sync").expanded() == set()


def test_output_shared_by_two_projects(project: Sandbox) -> None:
    """What one project writes elsewhere, another does not take away."""
    shared = str(project.root.parent / "shared")
    assert project.run("sync", "--output", shared).code == 0
    project.definition("delta").unlink()
    other = project.root.parent / "other"
    (other / "definitions/eps").mkdir(parents=True)
    (other / "pyproject.toml").write_text(PROJECT)
    (other / "definitions/eps/modular_eps.py").write_text(DELTA.replace("Delta", "Eps"))
    assert project.run("sync", "--root", str(other), "--output", shared).code == 0
    assert (project.root.parent / "shared/generated/alpha/modeling_alpha.py").exists()
    assert project.run("sync", "--output", shared).code == 0, "this one knows its own"
    assert not (project.root.parent / "shared/generated/delta/modeling_delta.py").exists()


def test_definitions_and_output_in_one_folder(project: Sandbox) -> None:
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(PROJECT.replace("generated", "definitions"))
    project.output = "definitions"
    assert project.run("sync").code == 0
    assert project.generated("gamma").is_file()
    assert project.run("check", "--no-cache").code == 0
    assert _json(project, "sync").expanded() == set()


def test_removed_class_in_a_checkout(checkout: Sandbox) -> None:
    both = f"{DELTA}\n\nclass DELTAConfig:\n    pass\n"
    checkout.write({"delta": both.replace("DeltaModel", "DELTAModel")})
    checkout.run("sync")
    assert checkout.generated("delta", "configuration").exists()
    checkout.write({"delta": DELTA.replace("DeltaModel", "DELTAModel")})
    for options in ((), ("--no-cache",), ("delta",)):
        checked = checkout.run("check", *options)
        assert checked.code == 1
        assert "configuration_delta.py: no longer generated" in checked.out
    assert checkout.run("check", "beta").code == 0
    assert checkout.run("sync").code == 0
    assert not checkout.generated("delta", "configuration").exists()
    assert checkout.generated("alpha").exists()


def test_removed_definition_in_a_checkout(checkout: Sandbox) -> None:
    checkout.run("sync")
    checkout.definition("delta").unlink()
    assert "modeling_delta.py: no longer generated" in checkout.run("check").out
    assert checkout.run("sync").code == 0
    assert not checkout.generated("delta").exists()
    assert checkout.generated("alpha").exists()


def test_removed_definition_leaves_no_file(project: Sandbox) -> None:
    project.run("sync")
    project.definition("delta").unlink()
    for options in ((), ("--no-cache",)):
        checked = project.run("check", *options)
        assert checked.code == 1
        assert "modeling_delta.py: no longer generated" in checked.out
    result = project.run("sync")
    project.expect("removed_definition", result)
    assert not project.generated("delta").exists()
    assert project.run("check").code == 0


def test_removed_definition_without_a_cache(project: Sandbox) -> None:
    """A fresh clone has no cache; the banner tells."""
    project.run("sync", "--no-cache")
    project.definition("delta").unlink()
    assert project.run("check").code == 1
    project.run("sync", "--no-cache")
    assert not project.generated("delta").exists()


def test_file_of_a_broken_definition_is_no_orphan(project: Sandbox) -> None:
    project.run("sync")
    project.write({"delta": "class"})
    for options in ((), ("--no-cache",)):
        result = project.run("sync", *options)
        assert result.code == 2
        assert "no longer" not in result.out and "removed" not in result.out
    assert project.generated("delta").exists()


def test_file_of_an_excluded_definition_is_no_orphan(project: Sandbox) -> None:
    project.run("sync")
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + 'exclude = ["delta"]\n')
    assert project.run("sync").code == 0
    assert project.generated("delta").exists()


def test_file_by_hand_among_the_outputs_is_left_alone(project: Sandbox) -> None:
    project.run("sync")
    own = project.generated("omega")
    own.parent.mkdir()
    own.write_text(DELTA)
    assert project.run("check").code == 0
    project.run("sync")
    assert own.read_text() == DELTA


EDITS = ("body", "class", "parent", "config", "broken", "touch", "drop", "by hand", "delete", "one")


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_edits_ends_like_a_run_from_nothing(project: Sandbox, seed: int) -> None:
    """After every edit and sync, nothing is left to do for a run without a cache."""
    random = Random(seed)
    models = ["alpha", "beta", "gamma", "delta"]
    for step in range(20):
        model, edit = random.choice(models), random.choice(EDITS)
        place, output = project.definition(model), project.generated(model)
        if edit == "body":
            place.write_text(place.read_text().replace("pass", f"step = {step}", 1))
        elif edit == "class":
            place.write_text(
                place.read_text() + f"\n\nclass {model.title()}Step{step}:\n    pass\n"
            )
        elif edit == "parent":
            source = "delta" if model == "alpha" else "alpha"
            name = f"{source.title()}Model"
            text = f"from ..{source}.modeling_{source} import {name}\n\n\n"
            text += f"class {model.title()}Model({name}):\n    pass\n"
            place.write_text(text if model != "delta" else DELTA)
        elif edit == "config":
            place.write_text(place.read_text() + f"\n\nclass {model.title()}Config:\n    pass\n")
        elif edit == "broken":
            place.write_text(place.read_text() + "\nclass\n")
        elif edit == "touch":
            place.touch()
        elif edit == "drop":
            project.write({model: FAMILY[model]})
        elif edit == "by hand" and output.exists():
            output.write_text(output.read_text() + f"# {step}\n")
        elif edit == "delete":
            output.unlink(missing_ok=True)
        code = project.run("sync", *([model] if edit == "one" else [])).code
        if edit != "one":
            assert project.run("check").code == (2 if code else 0)
            again = project.run("sync", "--no-cache", "--format", "json")
            assert [item["written"] for item in again.json["models"] if item["written"]] == []
            assert again.code == code
