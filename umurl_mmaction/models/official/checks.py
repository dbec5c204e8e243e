from torch import Tensor, nn

from .names import check_shapes, official_key, rename_official


def check_encoder(encoder: nn.Module, state_dict: dict[str, Tensor],
                  prefix: str) -> None:
    """Refuse a checkpoint of another size or of another model.

    The paper's weights get our names on the way.
    """
    file_keys = rename_official(
        state_dict, prefix, place='backbone.', part='backbone.')
    owner = type(encoder).__name__
    own = encoder.state_dict(prefix=prefix)
    if not any(key in state_dict for key in own):
        key, value = next(iter(own.items()))
        # A model passes on only those keys that start with the prefix.
        found = (f'got keys like {next(iter(state_dict))!r}'
                 if state_dict else f'got none in {prefix!r}')
        raise ValueError(f'the checkpoint holds no weight of {owner}: '
                         f'wanted are keys like {key!r} of shape '
                         f'{tuple(value.shape)}, {found}')
    check_shapes(
        state_dict, own, file_keys, owner,
        'embed_dims, clip_len, num_person, in_channels and the layout '
        'must be those of the pre-training')
    # All modalities share these, and the paper's files have all weights.
    shared = f'{prefix}encoder.'
    for key, value in own.items():
        if key in state_dict or not (file_keys or key.startswith(shared)):
            continue
        if file_keys:
            key = official_key(key, prefix, place='backbone.')
        raise ValueError(
            f'the checkpoint has no {key}, this {owner} wants it of '
            f'shape {tuple(value.shape)}; num_layers must be that of the '
            'pre-training, and the file whole')
    for key, value in state_dict.items():
        if key.startswith(shared) and key not in own:
            raise ValueError(
                f'the checkpoint has {file_keys.get(key, key)} of shape '
                f'{tuple(value.shape)}, this {owner} has no such weight; '
                'num_layers must be that of the pre-training')


def check_projectors(model: nn.Module, state_dict: dict[str, Tensor],
                     prefix: str) -> None:
    """Rename the paper's projectors; refuse those of another size."""
    file_keys = rename_official(state_dict, prefix, place='', part='neck.')
    check_shapes(
        state_dict, model.neck.state_dict(prefix=f'{prefix}neck.'),
        file_keys,
        type(model).__name__,
        'in_channels and out_channels of the neck must be those of the '
        'pre-training')
