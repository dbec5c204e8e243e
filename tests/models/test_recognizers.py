import mmengine
import pytest
import torch
from conftest import make_annotations
from mmaction.registry import DATASETS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate

BACKBONE = dict(type='UmURLBackbone', embed_dims=16)
PIPELINE = [
    dict(type='SkeletonPreNormalize'),
    dict(type='TemporalCropResize', ratio=(1, 1)),
    dict(type='PackSkeletonInputs')
]


def loader(ann_file, split='train', batch_size=5):
    return dict(
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='SkeletonDataset',
            ann_file=ann_file,
            split=split,
            pipeline=PIPELINE,
            test_mode=True))


@pytest.fixture
def knn(ann_file):
    return MODELS.build(
        dict(type='SkeletonKNN', backbone=BACKBONE,
             gallery=loader(ann_file))).eval()


def samples(count):
    return [ActionDataSample() for _ in range(count)]


def test_gallery_holds_every_clip_in_order(knn):
    features, labels, names = knn.encoded_gallery[:3]
    assert names == [f'clip{i:03d}' for i in range(12)]
    assert features.shape == (12, 32)
    assert labels.tolist() == [i % 3 for i in range(12)]
    torch.testing.assert_close(features.norm(dim=1), torch.ones(12))


@pytest.mark.parametrize('weights', ['cosine', 'uniform'])
@pytest.mark.parametrize('num_neighbors', [1, 3, 50])
def test_prediction_equals_brute_force(knn, num_neighbors, weights):
    knn.num_neighbors, knn.weights = num_neighbors, weights
    inputs = torch.randn(4, 1, 2, 64, 25, 3)
    features, labels = knn.encoded_gallery[:2]
    with torch.no_grad():
        query = knn.backbone(inputs[:, 0])
    cosine = torch.cosine_similarity(query[:, None], features[None], dim=-1)
    predicted = knn.predict(inputs, samples(4))
    for sample, similarity in zip(predicted, cosine):
        expected = torch.zeros(3)
        for i in similarity.argsort(descending=True)[:num_neighbors]:
            vote = (1 + similarity[i]) / 2
            expected[labels[i]] += vote if weights == 'cosine' else 1
        torch.testing.assert_close(sample.pred_score, expected)
        assert sample.pred_label.item() == expected.argmax()


def test_gallery_follows_the_weights(knn):
    inputs = torch.randn(2, 1, 2, 64, 25, 3)
    knn.predict(inputs, samples(2))
    first = knn.encoded_gallery
    knn.predict(inputs, samples(2))
    assert knn.encoded_gallery is first
    for change in (knn.train, lambda: knn.load_state_dict(knn.state_dict())):
        knn.predict(inputs, samples(2))
        change()
        assert knn._encoded is None


def test_several_clips_are_averaged(knn):
    clip = torch.randn(3, 1, 2, 64, 25, 3)
    once = knn.predict(clip, samples(3))
    twice = knn.predict(clip.repeat(1, 2, 1, 1, 1, 1), samples(3))
    for a, b in zip(once, twice):
        torch.testing.assert_close(a.pred_score, b.pred_score)


def test_retrieval_has_no_loss_and_wants_a_neighbour(knn, ann_file):
    with pytest.raises(NotImplementedError, match='run the test tool'):
        knn(torch.zeros(1), samples(1), mode='loss')
    with pytest.raises(ValueError, match='num_neighbors=0'):
        MODELS.build(
            dict(
                type='SkeletonKNN',
                backbone=BACKBONE,
                gallery=loader(ann_file),
                num_neighbors=0))
    with pytest.raises(ValueError, match="weights='best' must be one of"):
        MODELS.build(
            dict(
                type='SkeletonKNN',
                backbone=BACKBONE,
                gallery=loader(ann_file),
                weights='best'))


def test_streams_of_a_pipeline_find_what_joints_find(knn, ann_file):
    cfg = loader(ann_file, 'val')['dataset']
    pipeline = [*PIPELINE[:-1], dict(type='GenSkeletonModalities'),
                PIPELINE[-1]]
    predicted = []
    for steps in (PIPELINE, pipeline):
        dataset = DATASETS.build(dict(cfg, pipeline=steps))
        data = knn.data_preprocessor(
            pseudo_collate([dataset[i] for i in range(6)]))
        predicted.append(knn.predict(**data))
    for a, b in zip(*predicted):
        torch.testing.assert_close(a.pred_score, b.pred_score)


def test_linear_probe_with_the_stock_recognizer(ann_file):
    model = MODELS.build(
        dict(
            type='RecognizerGCN',
            backbone=dict(BACKBONE, frozen=True),
            cls_head=dict(type='LinearClsHead', num_classes=3, in_channels=32),
            data_preprocessor=dict(type='SkeletonDataPreprocessor')))
    model.init_weights()
    fc = model.cls_head.fc
    assert not fc.bias.any() and 0.003 < fc.weight.std() < 0.03
    dataset = DATASETS.build(loader(ann_file)['dataset'])
    data = model.data_preprocessor(
        pseudo_collate([dataset[i] for i in range(6)]))
    assert data['inputs'].shape == (6, 1, 2, 64, 25, 3)
    model.train()
    losses = model(**data, mode='loss')
    feature = model.backbone(data['inputs'][:, 0])
    logits = fc(feature)
    target = torch.tensor([0, 1, 2, 0, 1, 2])
    torch.testing.assert_close(
        losses['loss_cls'],
        torch.nn.functional.cross_entropy(logits, target))
    losses['loss_cls'].backward()
    trained = {k for k, p in model.named_parameters() if p.grad is not None}
    assert trained == {'cls_head.fc.weight', 'cls_head.fc.bias'}

    predicted = model.eval()(**data, mode='predict')
    for sample, score in zip(predicted, logits.softmax(-1)):
        torch.testing.assert_close(sample.pred_score, score)


def test_labels_are_those_of_the_loader(knn, tmp_path):
    """Not of the preprocessor, which puts them on another device."""
    data = make_annotations()
    del data['annotations'][1]['label']
    mmengine.dump(data, str(tmp_path / 'some.pkl'))
    knn.gallery['dataset']['ann_file'] = str(tmp_path / 'some.pkl')
    prepare = knn.data_preprocessor.forward

    def put_elsewhere(data, training=False):
        made = prepare(data, training)
        return dict(
            made, data_samples=[x.to('meta') for x in made['data_samples']])

    knn.data_preprocessor.forward = put_elsewhere
    gallery = knn.encoded_gallery
    assert gallery.labels.tolist()[:4] == [0, -1, 2, 0]
    with pytest.raises(ValueError, match="clip 'clip001' .* has no label"):
        gallery.check_labels()


@pytest.mark.parametrize('standardize', [False, True])
def test_features_are_standardised_by_option(ann_file, standardize):
    knn = MODELS.build(
        dict(
            type='SkeletonKNN',
            backbone=BACKBONE,
            gallery=loader(ann_file),
            standardize=standardize)).eval()
    dataset = DATASETS.build(loader(ann_file)['dataset'])
    with torch.no_grad():
        features = torch.cat([
            knn.backbone(dataset[i]['inputs']) for i in range(12)
        ])
    if standardize:
        features = (features - features.mean(0)) / features.std(
            0, correction=0)
    torch.testing.assert_close(
        knn.encoded_gallery.features,
        torch.nn.functional.normalize(features), rtol=0, atol=1e-4)
