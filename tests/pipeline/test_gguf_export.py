"""A GGUF file lies where it is said to lie, whole or not at all; Unsloth and the GPU have a stand-in."""

from pathlib import Path

import pytest

from pipeline import export, model
from pipeline.config import resolve
from pipeline.export import export_model

pytestmark = pytest.mark.torch
CONFIG = resolve("tiny", environ={}, test_tasks=1)


class Killed(BaseException):
    pass


class Model:
    """Saves as Unsloth does: the merged weights into the folder, the GGUF into another one beside it."""

    def __init__(self, content: bytes = b"GGUF and weights", dies: bool = False) -> None:
        self.content, self.dies = content, dies

    def save_pretrained_gguf(self, folder: str, tokenizer: object) -> dict[str, object]:
        merged, beside = Path(folder), Path(f"{folder}_gguf")
        for place in (merged, beside):
            place.mkdir(parents=True)
        (merged / "model.safetensors").write_bytes(b"gigabytes")
        (beside / "m.MXFP4.gguf").write_bytes(self.content)
        if self.dies:
            raise Killed
        return {"gguf_files": [str(beside / "m.MXFP4.gguf")]}


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Exports what a model writes; returns what `export_model` says of it."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def export_of(made: Model) -> export.Export:
        monkeypatch.setattr(model, "load_model", lambda config, adapter: (made, None))
        (found,) = export_model(CONFIG, tmp_path / "adapter", tmp_path / "export", ["gguf"])
        return found

    return export_of


def lying(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_the_file_alone_is_kept_and_lies_in_its_folder(written, tmp_path):
    found = written(Model())
    assert found.folder == tmp_path / "export" / "gguf" and found.megabytes == 16e-6
    assert lying(tmp_path) == ["export/gguf/m.MXFP4.gguf"]


def test_a_killed_export_leaves_the_last_whole_one(written, tmp_path):
    with pytest.raises(Killed):
        written(Model(dies=True))
    assert not lying(tmp_path / "export")
    written(Model())
    with pytest.raises(Killed):
        written(Model(b"GGUF, but ha", dies=True))
    assert (tmp_path / "export" / "gguf" / "m.MXFP4.gguf").read_bytes() == b"GGUF and weights"


def test_what_is_no_gguf_is_not_written_and_an_older_models_goes(written, tmp_path):
    written(Model())
    found = written(Model(b"<html>"))
    assert found.folder is None and "its output says why" in found.note
    assert not lying(tmp_path / "export")
