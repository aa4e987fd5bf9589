"""Laws of finding: nothing that people put between or around the signs of a word hides it."""

from hypothesis import given
from hypothesis import strategies as st

from aftersales.office.promises import BUILT_IN, find, pieces

WORDS = [(rule.label, word) for rule in BUILT_IN for word in rule.include]
BETWEEN = ["", " ", "  ", "\u3000", ".", "·", "-", "\u200b", "*", "_", "\u00a0"]
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@given(
    st.sampled_from(WORDS), st.data(), st.booleans(), st.booleans(),
    st.sampled_from(["", "您好，", "好的。"]), st.sampled_from(["", "。", "，谢谢"]),
)  # fmt: skip
def test_spaces_signs_full_width_and_capitals_hide_no_word(word, data, wide, capital, before, after):
    label, plain = word
    hidden = plain.upper() if capital else plain
    hidden = hidden.translate(FULL_WIDTH) if wide else hidden
    between = data.draw(st.lists(st.sampled_from(BETWEEN), min_size=len(hidden), max_size=len(hidden)))
    text = before + "".join(sign + gap for sign, gap in zip(hidden, [*between[:-1], ""], strict=True)) + after
    assert label in {hit.rule.label for hit in find(text)}


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at_and_is_made_again_from_its_pieces(text):
    hits = find(text)
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits)
    assert "".join(piece for piece, _ in pieces(text, hits)) == text
    assert any(marked for _, marked in pieces(text, hits)) == bool(hits)
