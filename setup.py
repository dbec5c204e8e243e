import os
import os.path as osp
import shutil

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

PACKAGE = 'umurl_mmaction'
ROOT = osp.dirname(osp.abspath(__file__))

# What `mim` looks for under `<package>/.mim`.
MIM_ITEMS = ('tools', 'configs', 'model-index.yml')

EXTRAS = {
    # For .bvh files in tools/data/pose_estimates.py.
    'bvh': ['pybvh>=0.9'],
    # For tools/deploy/export.py; the last one runs what it writes.
    'export': ['onnx', 'onnxscript', 'onnxruntime'],
    # OpenDataLab 0.0.10, which only `mim download` of datasets needs, asks
    # for a setuptools that is too old for torch.
    'mim': ['openmim', 'opendatalab<0.0.10'],
    'test': ['pytest'],
    # For tools/visualizations.
    'visualization': ['scikit-learn'],
}
# What an empty environment needs for every command of the pages. MMAction2
# 1.2 refuses MMCV 2.2.
EXTRAS['all'] = [
    'mmcv-lite>=2.0.0,<2.2', *EXTRAS['bvh'], *EXTRAS['export'],
    *EXTRAS['mim'], *EXTRAS['visualization']
]


def read(*parts):
    with open(osp.join(ROOT, *parts), encoding='utf-8') as f:
        return f.read()


def get_version():
    # Not by import: that needs torch, which an isolated build does not have.
    scope = {}
    exec(read(PACKAGE, 'version.py'), scope)
    return scope['__version__']


def remove(path):
    if osp.islink(path) or osp.isfile(path):
        os.remove(path)
    elif osp.isdir(path):
        shutil.rmtree(path)


def copy(source, target):
    if osp.isdir(source):
        shutil.copytree(
            source,
            target,
            ignore=shutil.ignore_patterns('__pycache__', '*.py[co]', '.*'))
    else:
        shutil.copyfile(source, target)


def add_mim(package_dir, link=False):
    """Put tools, configs and the model index under ``package_dir/.mim``.

    Args:
        package_dir (str): The directory of the package to add them to.
        link (bool): Whether to link them, so that an editable install sees
            every edit. Falls back to copies where links are not possible.
    """
    mim_dir = osp.join(package_dir, '.mim')
    remove(mim_dir)
    os.makedirs(mim_dir)
    for item in MIM_ITEMS:
        source = osp.join(ROOT, item)
        target = osp.join(mim_dir, item)
        if link:
            try:
                os.symlink(osp.relpath(source, mim_dir), target)
                continue
            except (OSError, NotImplementedError):
                pass
        copy(source, target)


class BuildPyWithMim(build_py):
    """Used for wheels and, with ``editable_mode`` set, editable installs."""

    def run(self):
        if getattr(self, 'editable_mode', False):
            super().run()
            add_mim(osp.join(ROOT, PACKAGE), link=True)
            return
        package_dir = osp.join(self.build_lib, PACKAGE)
        # An earlier build may have left modules that are gone by now.
        remove(package_dir)
        super().run()
        add_mim(package_dir)


class SdistWithMim(sdist):

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        add_mim(osp.join(base_dir, PACKAGE))


setup(
    name=PACKAGE,
    version=get_version(),
    description='UmURL, unified multi-modal unsupervised representation '
    'learning of human skeletons, as a plugin for MMAction2',
    long_description=(
        read('README.md') if osp.exists(osp.join(ROOT, 'README.md')) else ''),
    long_description_content_type='text/markdown',
    author='The umurl_mmaction authors',
    keywords='skeleton action recognition, self-supervised learning',
    license='Apache-2.0',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    zip_safe=False,
    cmdclass={
        'build_py': BuildPyWithMim,
        'sdist': SdistWithMim,
    },
    python_requires='>=3.9',
    # Lower bounds only, so that nothing a user has is replaced. Neither
    # `mmcv` nor `mmcv-lite` is here: either serves, they are two names of
    # one module, and MMAction2 leaves the choice to the user too.
    install_requires=[
        'matplotlib',
        'mmaction2>=1.2',
        'mmengine>=0.10',
        'numpy',
        # `mim` and MMEngine import `pkg_resources`, which setuptools 82
        # removed. The package itself makes do without (see compat.py).
        'setuptools<82',
        'tensorboard',
        'torch>=2.1',
    ],
    extras_require=EXTRAS,
)
