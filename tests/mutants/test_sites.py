"""The mutation tool changes what it says, one thing at a time."""

from __future__ import annotations

from tests.mutants.sites import changed, sites

SOURCE = '''
def f(a, b):
    """Words stay: 1 == 2."""
    if a == 1 and not b:
        g(a)
        return a + 1
    return True
'''


def test_every_change_is_valid_code_that_differs() -> None:
    """And docstrings are left alone."""
    found = sites(SOURCE)
    made = [changed(SOURCE, site) for site in found]

    assert {"Eq -> NotEq", "And swapped", "not dropped", "call dropped", "Add -> Sub", "True -> False"} <= {
        site.what for site in found
    }
    assert len(set(made)) == len(made)
    assert all("Words stay: 1 == 2." in text for text in made)
    for text in made:
        compile(text, "mutant", "exec")
