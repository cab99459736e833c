"""In a file a line a while takes the place of a bar that moves."""

from mmil import progress


def test_a_file_gets_a_line_now_and_then(capfd, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with progress.progress_bar("generate", total=3, unit="episodes", note="") as advance:
        advance("expert 1/1", below="lift 100% of 1")
        advance("expert 2/2", below="lift 100% of 2")
    lines = capfd.readouterr().err.splitlines()
    assert any("1/3" in line and "expert 1/1" in line for line in lines)
    assert "lift 100% of 1" in lines and lines[-1] == "lift 100% of 2"


def test_a_file_is_not_filled(capfd):
    with progress.progress_bar("generate", total=500, unit="episodes") as advance:
        for _ in range(500):
            advance()
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
