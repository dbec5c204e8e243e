"""Publish a checkpoint: write a small file of it, and a model card.

The file leaves out what only training needs: projectors, optimizer, schedule
and logs. Its name ends with the start of its SHA-256, as with MMAction2's own
tool. The card is an entry of Models in a metafile.yml.
"""
import hashlib
import io
import re
import sys
from pathlib import Path
from typing import Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import make_parser  # noqa: E402

EPILOG = '''example:
  python tools/convert/publish_model.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth umurl_synthetic \\
      --url https://example.org/models

This writes umurl_synthetic-1a2b3c4d.pth and umurl_synthetic-1a2b3c4d.yml.
Configs for linear evaluation, retrieval and fine-tuning take the .pth as
load_from.
'''


def strip_training(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Keep what using the model needs: ``meta``, and weights in our names.

    Raises:
        ValueError: If it is no checkpoint of UmURL.
    """
    from umurl_mmaction.models.official.files import is_official, to_ours
    from umurl_mmaction.models.official.names import is_pretraining_only
    if is_official(checkpoint):
        checkpoint = to_ours(checkpoint)
    # 'official' holds the paper's optimizer.
    meta = {
        key: value
        for key, value in (checkpoint.get('meta') or {}).items()
        if key != 'official'
    }
    weights = {
        key: value
        for key, value in checkpoint['state_dict'].items()
        if not is_pretraining_only(key)
    }
    return dict(meta=meta, state_dict=weights)


def config_name(meta: dict[str, Any]) -> Optional[str]:
    """Return the name, without ``.py``, of the config of the training.

    MMEngine names an experiment by its config and the time of its start.
    """
    found = re.fullmatch(r'(.+)_\d{8}_\d{6}',
                         str(meta.get('experiment_name', '')))
    return found[1] if found else None


def make_card(meta: dict[str, Any], name: str, weights: str, sha256: str,
              config: Optional[str]) -> dict[str, Any]:
    """Make the model's entry of a metafile.

    For a config of this package it starts from the entry in this package's
    metafiles. The results and the log that stand there are those of one
    file, and stay only with it.

    Args:
        meta (dict): ``meta`` of the checkpoint.
        name (str): The name of the model if its config is not known.
        weights (str): The path or URL of the published file.
        sha256 (str): The hash of the published file, 64 hex digits.
        config (str, optional): The config, if ``meta`` does not name it.
    """
    import mmengine

    from umurl_mmaction.apis.loading import configs_folder
    stem = Path(config).stem if config else config_name(meta)
    listed = [
        model for path in configs_folder().glob('*/metafile.yml')
        for model in mmengine.load(str(path))['Models']
    ]
    card: dict[str, Any] = dict(Name=stem or name)
    if stem:
        card['Config'] = config or f'{stem}.py'
    card = next((model for model in listed if model['Name'] == stem), card)
    card.setdefault('In Collection', 'UmURL')
    card.setdefault('Metadata', dict(Architecture='UmURL'))
    # A run that counts steps has no epochs.
    for key, field in (('epoch', 'Epochs'), ('iter', 'Iterations')):
        if meta.get(key):
            card['Metadata'][field] = meta[key]
            break
    if card.get('Weights SHA-256') != sha256:
        for field in ('Results', 'Training Log'):
            card.pop(field, None)
    card.update({'Weights': weights, 'Weights SHA-256': sha256})
    return card


def publish(src: str, prefix: Path, url: str = '',
            config: Optional[str] = None) -> tuple[Path, str]:
    """Write the published file, and its card beside it.

    Args:
        src (str): The path or URL of a checkpoint.
        prefix (Path): The start of the names of both files.
        url (str): The folder where users will find the file. Defaults to ''.
        config (str, optional): The config, if the checkpoint does not name
            it.

    Returns:
        tuple[Path, str]: The file and the text of the card.

    Raises:
        OSError: If ``src`` is not there or cannot be read.
        ValueError: If ``src`` is no checkpoint of UmURL.
    """
    import mmengine
    import torch

    from umurl_mmaction.fileio.atomic import replacing, write_text
    from umurl_mmaction.fileio.checkpoints import load_checkpoint
    stripped = strip_training(load_checkpoint(src))
    # torch.save to a file would store the file's name, and change the hash.
    buffer = io.BytesIO()
    torch.save(stripped, buffer)
    sha256 = hashlib.sha256(buffer.getbuffer()).hexdigest()
    stem = prefix.name[:-4] if prefix.suffix == '.pth' else prefix.name
    path = prefix.with_name(f'{stem}-{sha256[:8]}.pth')
    weights = f'{url.rstrip("/")}/{path.name}' if url else path.name
    card = make_card(stripped['meta'], path.stem, weights, sha256, config)
    text = mmengine.dump(
        dict(Models=[card]), file_format='yaml', sort_keys=False)
    with replacing(path) as part:
        part.write_bytes(buffer.getbuffer())
    write_text(path.with_suffix('.yml'), text)
    return path, text


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'src', metavar='IN', help='path or URL of a checkpoint')
    parser.add_argument(
        'prefix', type=Path, metavar='OUT_PREFIX',
        help='start of the names of the two files')
    parser.add_argument(
        '--url', default='',
        help='folder where users will find the file, for the card')
    parser.add_argument(
        '--config',
        help='config of the model, for the card (default: the one that the '
        'checkpoint names)')
    args = parser.parse_args(argv)
    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(f'{args.prefix}-*.pth'):
        path, card = publish(args.src, args.prefix, args.url, args.config)
    print(f'{card}written to {path} and {path.with_suffix(".yml")}')


if __name__ == '__main__':
    main()
