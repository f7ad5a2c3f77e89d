"""The figures of a large installation in docs/operating.md follow from its measured bytes per row."""

from tools.endurance import capacity


def test_figures_of_a_large_installation_follow_from_the_bytes_per_row() -> None:
    document = capacity.DOCUMENT.read_text(encoding="utf-8")
    text = " ".join(document.split())
    missing = [line for line in capacity.lines(capacity.read_sizes(document)) if line not in text]
    assert not missing, f"docs/operating.md lacks {missing}: see `python -m tools.endurance.capacity`."


def test_larger_rows_change_the_figures() -> None:
    document = capacity.DOCUMENT.read_text(encoding="utf-8")
    sizes = capacity.read_sizes(document)
    assert len(sizes) == 6
    more = [*capacity.lines(sizes | {"collection_tracks": sizes["collection_tracks"] + 100})]
    assert [line for line in more if line not in " ".join(document.split())]
