import pytest
from mmaction.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate

from umurl_mmaction.models.utils.encoding import encode_dataset


@pytest.mark.parametrize('training', [False, True])
def test_encoding_leaves_the_mode_of_a_model(ann_file, training):
    model = MODELS.build(
        dict(
            type='UmURL',
            backbone=dict(type='UmURLBackbone', embed_dims=8),
            neck=dict(type='ModalityProjector', out_channels=8),
            heads={}))
    model.train(training)
    dataset = DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=ann_file,
            split='val',
            pipeline=[
                dict(type='TemporalCropResize', ratio=(1, 1)),
                dict(type='PackSkeletonInputs')
            ]))
    encode_dataset(model, dataset, batch_size=4, collate_fn=pseudo_collate)
    assert model.training == model.backbone.training == training
