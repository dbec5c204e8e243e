"""The defaults that docstrings state are those of the signatures."""
import ast
import importlib
import inspect
import pkgutil
import re

import pytest

import umurl_mmaction

# A tuple, or what ends with a space, a bracket or the sentence.
LITERAL = re.compile(
    r'Defaults?\s+to\s+(?:``)?((?:[^`.\s(:;]|\.\d|\([^)]*\))+)')


def stated(doc):
    """Argument -> the literal that its 'Defaults to' names."""
    part = doc.partition('Args:\n')[2]
    part = re.split(r'\n\s*\n|\n\s*(?:Returns|Raises|Yields):', part)[0]
    indent = re.match(r' *', part)[0]
    for entry in re.split(rf'\n{indent}(?=\w)', '\n' + part):
        name = re.match(r'(\w+) \(', entry)
        value = LITERAL.search(entry)
        if name and value:
            try:
                yield name[1], ast.literal_eval(value[1].rstrip(','))
            except (ValueError, SyntaxError):
                pass  # in words


def cases():
    for module in pkgutil.walk_packages(umurl_mmaction.__path__,
                                        'umurl_mmaction.'):
        if module.name.endswith('__main__'):
            continue
        found = vars(importlib.import_module(module.name))
        for name, thing in found.items():
            if getattr(thing, '__module__', '') != module.name:
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                for arg, value in stated(inspect.getdoc(thing) or ''):
                    yield pytest.param(thing, arg, value, id=f'{name}-{arg}')


@pytest.mark.parametrize('thing, arg, value', list(cases()))
def test_the_default_is_the_stated_one(thing, arg, value):
    parameter = inspect.signature(thing).parameters.get(arg)
    if parameter is None:
        parameter = inspect.signature(thing.__init__).parameters[arg]
    default = parameter.default
    default = tuple(default) if isinstance(default, list) else default
    assert default == value
