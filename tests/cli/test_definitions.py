"""Mistakes in definitions: one message each, with its place and what to do."""

from __future__ import annotations

import pytest

from tests.cli.trees import ALPHA, BETA, DELTA, FAMILY, GAMMA, Sandbox

PARENTS = "from ..alpha.modeling_alpha import AlphaMLP, AlphaModel"


def test_syntax_error(project: Sandbox) -> None:
    project.write({"delta": "class DeltaModel:\n    depth = (1,\n"})
    result = project.run("sync")
    project.expect("syntax_error", result)
    assert result.code == 2
    assert not project.generated("delta").exists()
    assert project.generated("gamma").exists(), "the other models are written"


def test_null_byte(project: Sandbox) -> None:
    project.write({"delta": DELTA.replace("alone", "al\0ne")})
    project.expect("null_byte", project.run("sync", "delta"))


def test_nesting_too_deep(project: Sandbox) -> None:
    project.write({"delta": f"depth = {'-' * 100_000}1\n"})
    project.expect("too_deep", project.run("sync", "delta"))


def test_parent_module_that_does_not_exist(project: Sandbox) -> None:
    project.write({"beta": BETA.replace(PARENTS, PARENTS.replace("alpha", "omega"))})
    project.expect("missing_module", project.run("sync", "beta"))


def test_parent_module_of_a_package_that_is_not_installed(project: Sandbox) -> None:
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + 'expand = ["nowhere_to_be_found.*"]\n')
    spelled = PARENTS.replace("..alpha", "nowhere_to_be_found.alpha")
    project.write({"beta": BETA.replace(PARENTS, spelled)})
    project.expect("missing_package", project.run("sync", "beta"))


def test_parent_module_in_a_checkout_that_does_not_exist(checkout: Sandbox) -> None:
    checkout.write({"beta": BETA.replace(PARENTS, PARENTS.replace("alpha", "omega"))})
    checkout.expect("missing_module_in_checkout", checkout.run("sync", "beta"))


def test_parent_class_that_does_not_exist(project: Sandbox) -> None:
    project.write({"beta": BETA.replace("AlphaMLP", "AlphaMPL")})
    project.expect("missing_class", project.run("sync", "beta"))


def test_parent_class_that_does_not_exist_without_a_similar_one(checkout: Sandbox) -> None:
    checkout.write({"beta": BETA.replace("AlphaMLP", "Xyzzy")})
    checkout.expect("missing_class_unlike_any", checkout.run("sync", "beta"))


def test_imported_names_that_do_not_exist(project: Sandbox) -> None:
    """All of them are named, whether they are used or not."""
    names = "AlphaMLP, AlphaModel, AlphaModle, Xyzzy"

    project.write(
        {"beta": BETA.replace("AlphaMLP, AlphaModel", names) + "\n    x = AlphaModle(1)\n"}
    )
    project.expect("missing_names", project.run("sync", "beta"))


def test_imported_name_that_does_not_exist_in_a_library(checkout: Sandbox) -> None:
    """A library may import what nothing needs; that is told on demand."""
    checkout.write({"beta": BETA.replace("AlphaMLP, AlphaModel", "AlphaMLP, AlphaModel, Xyzzy")})
    assert checkout.run("sync").code == 0
    checkout.expect("missing_name_in_a_library", checkout.run("check", "beta", "--verbose"))


def test_names_that_a_parent_imports_or_assigns_exist(project: Sandbox) -> None:
    assigned = "import math as numbers\n\ntry:\n    import fast\nexcept ImportError:\n    fast = None\n\n\n"
    used = "\n\nclass AlphaUser:\n    a = numbers.pi\n    b = fast\n"
    project.write({"alpha": assigned + ALPHA.partition("\n\n\n")[2] + used})
    text = BETA.replace("AlphaMLP, AlphaModel", "AlphaMLP, AlphaModel, fast, numbers")
    project.write({"beta": f"{text}\n\nclass BetaUser:\n    c = fast, numbers\n"})
    result = project.run("sync")
    assert (result.code, result.err) == (0, "")


def test_star_import_of_a_parent(project: Sandbox) -> None:
    project.write({"beta": BETA.replace("AlphaMLP, AlphaModel", "*")})
    project.expect("star_import", project.run("sync", "beta"))


def test_import_from_another_definition(project: Sandbox) -> None:
    project.write({"beta": BETA.replace("modeling_alpha", "modular_alpha")})
    project.expect("import_from_a_definition", project.run("sync", "beta"))


def test_inheritance_cycle(project: Sandbox) -> None:
    """The path is shown, and what does not belong to the cycle is still written."""
    parent = "from ..gamma.modeling_gamma import GammaModel\n"
    project.write({"alpha": f"{parent}\n\nclass AlphaModel(GammaModel):\n    pass\n"})
    result = project.run("sync")
    project.expect("cycle", result)
    assert project.outputs() == {"modeling_delta.py"}


def test_two_cycles_are_reported_together(project: Sandbox) -> None:
    project.write(
        {
            "alpha": "from ..beta.modeling_beta import BetaModel\n\n\nclass AlphaModel(BetaModel):\n    pass\n",
            "gamma": GAMMA.replace("beta", "delta").replace("Beta", "Delta"),
            "delta": "from ..gamma.modeling_gamma import GammaModel\n\n\nclass DeltaModel(GammaModel):\n    pass\n",
        }
    )
    result = project.run("check")
    assert result.code == 2
    assert "alpha -> beta -> alpha" in result.err
    assert "delta -> gamma -> delta" in result.err


def test_definition_that_inherits_from_its_own_output(project: Sandbox) -> None:
    project.run("sync")
    own = "from ..delta.modeling_delta import DeltaModel\n\n\nclass DeltaOther(DeltaModel):\n    pass\n"
    project.write({"delta": own})
    project.expect("own_output", project.run("sync", "delta"))


def test_two_definitions_of_one_model(project: Sandbox) -> None:
    copy = project.root / "definitions/other/modular_delta.py"
    copy.parent.mkdir()
    copy.write_text(DELTA)
    project.expect("duplicate_model", project.run("sync"))


def test_two_definitions_that_write_one_file(project: Sandbox) -> None:
    """``image_processing_pil`` of one model is ``image_processing`` of ``pil_`` another."""
    folder = project.root / "definitions/vision"
    folder.mkdir()
    (folder / "modular_seen.py").write_text("class SeenImageProcessorPil:\n    size = 1\n")
    (folder / "modular_pil_seen.py").write_text("class PilSeenImageProcessor:\n    size = 2\n")
    result = project.run("sync")
    project.expect("duplicate_output", result)
    assert project.outputs() == {
        "configuration_alpha.py",
        *(f"modeling_{model}.py" for model in ("alpha", "beta", "gamma", "delta")),
    }


@pytest.mark.parametrize("name", ["my-model", "", "a.b"])
def test_file_name_that_holds_no_model_name(project: Sandbox, name: str) -> None:
    (project.root / f"definitions/modular_{name}.py").write_text(DELTA)
    result = project.run("sync")
    if name == "my-model":
        project.expect("model_name", result)
    assert result.code == 2
    assert "error[model-name]" in result.err
    assert project.generated("gamma").exists(), "the others are written"


def test_copies_in_hidden_folders_do_not_count(project: Sandbox) -> None:
    hidden = project.root / "definitions/delta/.ipynb_checkpoints"
    hidden.mkdir()
    (hidden / "modular_delta.py").write_text(DELTA)
    (hidden / "modular_delta-checkpoint.py").write_text(DELTA)
    assert project.run("sync").code == 0
    assert project.run("list", "--format", "json").states().keys() == FAMILY.keys()


def test_unknown_model(project: Sandbox) -> None:
    result = project.run("sync", "gama", "dleta", "zzz")
    project.expect("unknown_model", result)
    assert project.outputs() == set(), "nothing is done when a name is wrong"


def test_model_named_by_its_definition(project: Sandbox) -> None:
    result = project.run("sync", "definitions/delta/modular_delta.py", "--format", "json")
    assert result.code == 0
    assert result.states() == {"delta": "in sync"} or result.expanded() == {"delta"}
    assert project.outputs() == {"modeling_delta.py"}


def test_not_utf8(project: Sandbox) -> None:
    project.write({"delta": DELTA.encode() + "# caf\xe9\n".encode("latin-1")})
    project.expect("encoding", project.run("sync", "delta"))


def test_parent_not_utf8(checkout: Sandbox) -> None:
    parent = checkout.generated("alpha")
    parent.write_bytes(b"# caf\xe9\n" + parent.read_bytes())
    checkout.expect("encoding_of_a_parent", checkout.run("sync"))


@pytest.mark.parametrize("disguise", ["crlf", "cr", "bom"])
def test_line_breaks_and_byte_order_mark_do_not_matter(project: Sandbox, disguise: str) -> None:
    project.run("sync")
    expected = project.generated("beta").read_bytes()
    for model, text in (("alpha", ALPHA), ("beta", BETA)):
        data = text.encode()
        if disguise == "bom":
            data = b"\xef\xbb\xbf" + data
        else:
            data = data.replace(b"\n", b"\r\n" if disguise == "crlf" else b"\r")
        project.write({model: data})
    for options in ((), ("--no-cache",)):
        assert project.run("check", *options).code == 0
    project.generated("beta").unlink()
    assert project.run("sync").code == 0
    assert project.generated("beta").read_bytes() == expected


def test_definition_that_is_a_folder(project: Sandbox) -> None:
    (project.root / "definitions/eps/modular_eps.py").mkdir(parents=True)
    project.expect("unreadable", project.run("sync"))


def test_definition_that_links_outside_the_tree(project: Sandbox) -> None:
    outside = project.root.parent / "modular_eps.py"
    outside.write_text(DELTA.replace("Delta", "Eps"))
    (project.root / "definitions/modular_eps.py").symlink_to(outside)
    project.expect("definition_outside_root", project.run("sync"))


def test_definition_that_links_to_itself(project: Sandbox) -> None:
    place = project.root / "definitions/modular_eps.py"
    place.symlink_to(place)
    project.expect("link_to_itself", project.run("sync"))


def test_definition_that_links_inside_the_tree_is_read(project: Sandbox) -> None:
    place = project.root / "definitions/shared.py"
    project.definition("delta").rename(place)
    project.definition("delta").symlink_to(place)
    assert project.run("sync").code == 0
    assert "depth = 1" in project.generated("delta").read_text()


def test_several_problems_are_reported_together(project: Sandbox) -> None:
    """Every broken definition is named; what builds on one is skipped, the rest is written."""
    project.write(
        {
            "alpha": ALPHA.replace("class AlphaModel:", "class AlphaModel"),
            "delta": "from ..omega.modeling_omega import Omega\n\n\nclass DeltaModel(Omega):\n    pass\n",
            "eps": b"\xff\xfe",
            "zeta": DELTA.replace("Delta", "Zeta"),
        }
    )
    result = project.run("sync")
    project.expect("several_problems", result)
    assert result.code == 2
    assert project.outputs() == {"modeling_zeta.py"}
    assert project.run("check").code == 2


def test_failure_inside_the_tool_names_the_definition(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours spoils one model, and is told apart from files that are out of sync."""
    import codegen.run.job

    real = codegen.run.job.expand

    def broken(definition, *rest):  # type: ignore[no-untyped-def]
        if definition.model == "delta":
            raise IndexError("list index out of range")
        return real(definition, *rest)

    monkeypatch.setattr(codegen.run.job, "expand", broken)
    result = project.run("sync")
    assert result.code == 2
    assert "definitions/delta/modular_delta.py: error[internal]: IndexError" in result.err
    assert project.generated("gamma").exists()


REWRITING = {
    "syntax error": {"delta": "class DeltaModel:\n    depth = (1,\n"},
    "not utf-8": {"delta": b"\xff\xfe"},
    "missing module": {
        "delta": "from ..omega.modeling_omega import Omega\n\n\nclass Delta(Omega):\n    pass\n"
    },
    "missing class": {
        "delta": "from ..alpha.modeling_alpha import Omega\n\n\nclass Delta(Omega):\n    pass\n"
    },
    "cycle": {
        "delta": "from ..eps.modeling_eps import EpsModel\n\n\nclass DeltaModel(EpsModel):\n    pass\n",
        "eps": "from ..delta.modeling_delta import DeltaModel\n\n\nclass EpsModel(DeltaModel):\n    pass\n",
    },
}


@pytest.mark.parametrize("mistake", REWRITING)
def test_same_problems_with_rewrite_passes(project: Sandbox, mistake: str) -> None:
    """The passes look at all definitions first; they must leave mistakes to the expansion."""
    project.write(REWRITING[mistake])
    plain = project.run("check")
    rewritten = project.run("check", "--rewrite")
    assert (rewritten.code, rewritten.err) == (plain.code, plain.err)
    assert project.run("sync", "--rewrite").code == 2
    assert project.generated("gamma").exists()


def test_name_table_that_cannot_be_read(checkout: Sandbox) -> None:
    table = checkout.root / "src/transformers/models/auto/configuration_auto.py"
    table.write_text("CONFIG_MAPPING_NAMES = OrderedDict([(\n")
    checkout.expect("name_table_with_a_syntax_error", checkout.run("sync"))
    table.write_text("CONFIG_MAPPING_NAMES = build_it()\n")
    checkout.expect("name_table_of_another_kind", checkout.run("sync"))
    table.write_text("CONFIG_MAPPING_NAMES = OrderedDict([(name, 1)])\n")
    checkout.expect("name_table_not_literal", checkout.run("sync"))


def test_a_library_is_looked_at_where_it_differs_from_its_committed_files(
    checkout: Sandbox,
) -> None:
    """Names that nothing defines and slips are warnings there; files that agree are not looked at."""
    slips = (
        "\n    def forwrad(self, x):\n        del self.actt\n        return undefined_function(x)\n"
    )
    checkout.write({"beta": BETA + slips})
    first = checkout.run("check", "beta", "--verbose")
    checkout.expect("looked_at_in_a_library", first)
    assert checkout.run("sync").code == 0
    again = checkout.run("check", "beta", "--verbose", "--no-cache")
    assert "undefined_function" not in again.out + again.err
