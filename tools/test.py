"""Run MMAction2's own tools/test.py with umurl_mmaction imported first."""
from umurl_mmaction.__main__ import run_mmaction_tool

if __name__ == '__main__':
    run_mmaction_tool('test.py')
