"""What the pictures have in common."""
from umurl_mmaction.visualization.style import shorten


def test_a_long_name_keeps_one_end():
    assert shorten('abcd', 4) == 'abcd'
    assert shorten('abcde', 4) == '…cde'
    assert shorten('abcde', 4, keep='start') == 'abc…'
