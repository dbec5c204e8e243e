import subprocess
import sys

import pytest
import torch
from mmaction.structures import ActionDataSample
from torch.nn import functional as F

from umurl_mmaction.models.utils.retrieval import (
    build_gallery,
    nearest_neighbors,
)


@pytest.mark.parametrize('num_neighbors', [1, 7, 30])
@pytest.mark.parametrize('chunks', [(1, 4), (16, 8), (100, 1000)])
def test_neighbours_equal_those_of_the_whole_matrix(num_neighbors, chunks):
    query, gallery = torch.randn(20, 12), torch.randn(30, 12)
    expected = (query @ gallery.T).topk(num_neighbors, dim=1)
    value, index = nearest_neighbors(query, gallery, num_neighbors, *chunks)
    torch.testing.assert_close(value, expected.values)
    assert torch.equal(index, expected.indices)


def test_more_neighbours_than_there_are():
    with pytest.raises(ValueError, match='within 1..3, the size'):
        nearest_neighbors(torch.ones(1, 2), torch.ones(3, 2), 4)


# Address space cannot be limited under 2 GiB with torch loaded; what the
# search itself takes can be measured.
LARGE_SEARCH = '''
import resource, torch
from umurl_mmaction.models.utils.retrieval import nearest_neighbors
gallery, query = torch.randn(36000, 16), torch.randn(12000, 16)
query[5000] = gallery[33333] = 9
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
value, index = nearest_neighbors(query, gallery)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert index[5000] == 33333 and index.shape == (12000, 1)
print((after - before) // 1024)
'''


@pytest.mark.skipif(
    sys.platform != 'linux', reason='ru_maxrss is in KiB on Linux only')
def test_a_large_search_needs_little_memory():
    """12,000 of 36,000: the whole matrix would take 1.6 GiB."""
    result = subprocess.run([sys.executable, '-c', LARGE_SEARCH],
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) < 500


def test_cosine_of_the_nearest_is_that_of_the_pair():
    query = F.normalize(torch.randn(9, 5), dim=1)
    value, index = nearest_neighbors(query, query)
    torch.testing.assert_close(value, torch.ones(9, 1))
    assert index[:, 0].tolist() == list(range(9))


@pytest.mark.parametrize('standardize', [False, True])
def test_a_sample_of_several_clips_is_their_mean(standardize):
    features = torch.randn(5, 3, 8)
    samples = [ActionDataSample(metainfo=dict(frame_dir=str(i)))
               for i in range(5)]
    gallery = build_gallery(features, samples, standardize)
    means = features.mean(dim=1)
    if standardize:
        means = (means - means.mean(0)) / means.std(0, correction=0)
    torch.testing.assert_close(gallery.features, F.normalize(means, dim=1))
