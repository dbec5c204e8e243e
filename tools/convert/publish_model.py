"""Make of a training's checkpoint a file to hand on, and its model card.

What only training needs is left out: projectors, optimizer, schedule, logs.
The name ends with the start of the file's SHA-256, as with MMAction2's own
tool. The card is an entry of Models in a metafile.yml.
"""
import argparse
import hashlib
import io
import re
from pathlib import Path
from typing import Any, Optional

EPILOG = '''example:
  python tools/convert/publish_model.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth umurl_synthetic \\
      --url https://example.org/models

writes umurl_synthetic-1a2b3c4d.pth and umurl_synthetic-1a2b3c4d.yml. The
first one is a load_from of linear, retrieval and fine-tuning configs.
'''


def strip_training(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What using a model needs of a checkpoint.

    Args:
        checkpoint (dict): What the file holds; one of the paper's code gets
            our names.

    Returns:
        dict: ``meta`` and ``state_dict``.

    Raises:
        ValueError: If it is no checkpoint of UmURL.
    """
    from umurl_mmaction.models.official.files import is_official, to_ours
    if is_official(checkpoint):
        checkpoint = to_ours(checkpoint)
    # The paper's optimizer is in there.
    meta = {
        key: value
        for key, value in (checkpoint.get('meta') or {}).items()
        if key != 'official'
    }
    weights = {
        key: value
        for key, value in checkpoint['state_dict'].items()
        if not key.startswith('neck.')
    }
    return dict(meta=meta, state_dict=weights)


def config_name(meta: dict[str, Any]) -> Optional[str]:
    """Name of the config that a checkpoint was trained with.

    MMEngine calls an experiment by it and by the time it began.
    """
    found = re.fullmatch(r'(.+)_\d{8}_\d{6}',
                         str(meta.get('experiment_name', '')))
    return found[1] if found else None


def make_card(meta: dict[str, Any], name: str, weights: str,
              config: Optional[str]) -> dict[str, Any]:
    """The model's entry of a metafile.

    Args:
        meta (dict): ``meta`` of the checkpoint.
        name (str): What to call the model if its config is not known.
        weights (str): Where its file is, or will be.
        config (str, optional): Its config, where ``meta`` does not tell.

    Returns:
        dict: What is known; of a config of this package also what the
        metafile says of it.
    """
    import mmengine

    from umurl_mmaction.apis.loading import configs_folder
    stem = Path(config).stem if config else config_name(meta)
    listed = mmengine.load(str(configs_folder() / 'metafile.yml'))['Models']
    card: dict[str, Any] = dict(Name=stem or name)
    if stem:
        card['Config'] = config or f'{stem}.py'
    card = next((model for model in listed if model['Name'] == stem), card)
    card.setdefault('In Collection', 'UmURL')
    card.setdefault('Metadata', dict(Architecture='UmURL'))
    if meta.get('epoch') is not None:
        card['Metadata']['Epochs'] = meta['epoch']
    card['Weights'] = weights
    return card


def publish(src: str, prefix: Path, url: str = '',
            config: Optional[str] = None) -> tuple[Path, str]:
    """Write the published file, and its card beside it.

    Args:
        src (str): Path or URL of a checkpoint.
        prefix (Path): Start of the files' names.
        url (str): Folder where the file will be found. Defaults to ''.
        config (str, optional): Its config, where the checkpoint does not
            tell.

    Returns:
        tuple[Path, str]: The file and the card's text.

    Raises:
        ValueError: If ``src`` is no checkpoint of UmURL.
    """
    import mmengine
    import torch

    from umurl_mmaction.apis.loading import load_checkpoint
    from umurl_mmaction.fileio.atomic import replacing
    stripped = strip_training(load_checkpoint(src))
    # In memory: the name of a file would be part of what is hashed.
    buffer = io.BytesIO()
    torch.save(stripped, buffer)
    digest = hashlib.sha256(buffer.getbuffer()).hexdigest()[:8]
    stem = prefix.name[:-4] if prefix.suffix == '.pth' else prefix.name
    path = prefix.with_name(f'{stem}-{digest}.pth')
    weights = f'{url.rstrip("/")}/{path.name}' if url else path.name
    card = make_card(stripped['meta'], path.stem, weights, config)
    text = mmengine.dump(
        dict(Models=[card]), file_format='yaml', sort_keys=False)
    with replacing(path) as part:
        part.write_bytes(buffer.getbuffer())
    with replacing(path.with_suffix('.yml')) as part:
        part.write_text(text, encoding='utf-8')
    return path, text


def main(argv: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'src', metavar='IN', help='checkpoint of a training')
    parser.add_argument(
        'prefix', type=Path, metavar='OUT_PREFIX',
        help='start of the names of what is written')
    parser.add_argument(
        '--url', default='',
        help='folder where the file will be found, for the card')
    parser.add_argument(
        '--config',
        help='config of the model, for the card (the one that the '
        'checkpoint names)')
    args = parser.parse_args(argv)
    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(parser, f'{args.prefix}-*.pth'):
        path, card = publish(args.src, args.prefix, args.url, args.config)
    print(f'{card}written to {path} and {path.with_suffix(".yml")}')


if __name__ == '__main__':
    main()
