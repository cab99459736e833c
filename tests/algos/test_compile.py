"""compile: true compiles what is trained and nothing that a checkpoint or a run folder would notice."""

import torch
from safetensors.torch import load_file

from mmil.algos import compiling
from mmil.algos.compiling import compile_policy
from mmil.run import RunFolder, load_policy
from tests.learning import tiny_batch, tiny_module
from tests.tiny import data_set, run


def test_where_nothing_can_be_compiled_a_line_says_so_and_nothing_changes(monkeypatch):
    def none(*arguments, **options):
        raise RuntimeError("no C++ compiler\nand much more")

    told = []
    policy = tiny_module().policy
    monkeypatch.setattr(torch, "compile", none)
    compile_policy(policy, device="cpu", tell=told.append)
    assert told == ["compile: true changes nothing here, for torch.compile finds no working compiler: no C++ compiler"]
    assert policy.loss(tiny_batch(cached=True)).isfinite()


def test_a_compiled_run_is_as_any_other(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")  # all of it but the C++ compiler, which takes a minute
    data, told = data_set(tmp_path / "data", episodes=3), []
    options = ["--accelerator", "cpu", "--precision", "32-true"]
    plain = run(data, tmp_path / "plain", *options)
    compiled = run(data, tmp_path / "compiled", "--compile", "true", *options, tell=told.append)
    assert not told and RunFolder.open(compiled).config["compile"] is True
    there, here = (load_file(folder / "model.safetensors") for folder in (plain, compiled))
    assert there.keys() == here.keys() and not any("_orig_mod" in name for name in here)
    checkpoint = torch.load(compiled / "checkpoints" / "last.ckpt", weights_only=True)
    assert not any("_orig_mod" in name for name in checkpoint["state_dict"])
    assert all(torch.allclose(there[name], here[name], atol=1e-3) for name in there)
    assert load_policy(compiled).past == 1
