"""The known layouts: what holds for each, and what they share."""
import numpy as np
import pytest
import torch

from umurl_mmaction.skeleton import LAYOUTS
from umurl_mmaction.skeleton.normalize import align_bodies
from umurl_mmaction.visualization.layout_chart import neutral_pose

every_layout = pytest.mark.parametrize(
    'layout', LAYOUTS.values(), ids=lambda layout: layout.name)


def bones_by_name(layout):
    """The bones as pairs of names: joint and parent."""
    return {(layout.joints[v], layout.joints[parent])
            for v, parent in enumerate(layout.parents) if parent != -1}


def test_the_layouts_have_as_many_joints_as_their_sources():
    assert {name: layout.num_joints for name, layout in LAYOUTS.items()} == {
        'nturgb+d': 25, 'kinect-v1': 20, 'msr': 20, 'sbu': 15, 'h36m': 17,
        'smpl': 24, 'coco': 17, 'coco-wholebody': 23, 'halpe26': 26,
        'openpose': 18, 'body_25': 25, 'mediapipe': 33}


@every_layout
def test_a_layout_is_one_tree_of_joints_with_names_and_a_source(layout):
    assert len(set(layout.joints)) == layout.num_joints
    assert len(bones_by_name(layout)) == layout.num_joints - 1
    assert layout.source.startswith('https://')
    assert LAYOUTS[layout.name] is layout


@every_layout
def test_left_and_right_are_alike(layout):
    mirrored = layout.mirrored
    for v, parent in enumerate(layout.parents):
        assert mirrored[mirrored[v]] == v
        sided = 'left' in layout.joints[v] or 'right' in layout.joints[v]
        assert (mirrored[v] != v) == sided
        assert layout.parents[mirrored[v]] == (
            -1 if parent == -1 else mirrored[parent])
    assert mirrored[layout.center] == layout.center


@every_layout
def test_shoulders_are_left_then_right(layout):
    assert [layout.joints[v] for v in layout.shoulders] == [
        'left_shoulder', 'right_shoulder']


@every_layout
def test_a_body_in_coordinates_of_kinect_is_not_turned(layout):
    """It faces the camera, and x grows to the left of the picture."""
    pose = neutral_pose(layout) * [-1, 1]
    pose = torch.from_numpy(np.pad(pose, [(0, 0), (0, 1)]))
    aligned = align_bodies(pose[None, None, None], layout)[0, 0, 0]
    torch.testing.assert_close(aligned, pose - pose[layout.center])


@every_layout
def test_every_joint_is_of_one_part(layout):
    parts = layout.parts
    joints = [v for members in parts.values() for v in members]
    assert sorted(joints) == list(range(layout.num_joints))
    for limb, first in (('arm', 'shoulder'), ('leg', 'hip')):
        left, right = parts[f'left_{limb}'], parts[f'right_{limb}']
        assert {layout.mirrored[v] for v in left} == set(right)
        assert layout.joints.index(f'left_{first}') in left
        assert all(layout.joints[v].startswith('left_') for v in left)
    assert parts['head']
    assert not any('_hip' in layout.joints[v] or 'eye' in layout.joints[v]
                   for v in parts['torso'] if v != layout.mirrored[v])


def test_what_the_layouts_share():
    kinect, msr = LAYOUTS['kinect-v1'], LAYOUTS['msr']
    assert bones_by_name(kinect) == bones_by_name(msr)
    assert kinect.joints != msr.joints
    coco = LAYOUTS['coco']
    for name in ('coco-wholebody', 'halpe26'):
        assert LAYOUTS[name].joints[:17] == coco.joints
    assert bones_by_name(coco) < bones_by_name(LAYOUTS['coco-wholebody'])
    # Between the hips, BODY_25 has a joint of its own.
    assert bones_by_name(LAYOUTS['openpose']) - bones_by_name(
        LAYOUTS['body_25']) == {('left_hip', 'left_shoulder'),
                                ('right_hip', 'right_shoulder')}


def test_the_order_of_the_limbs_of_msr_action3d():
    """Left, right, left, right; the numbers as in the files, from 1."""
    joints = LAYOUTS['msr'].joints
    for first, chain in (('left', [1, 8, 10, 12]), ('right', [2, 9, 11, 13])):
        assert [joints[v - 1] for v in chain] == [
            f'{first}_{joint}'
            for joint in ('shoulder', 'elbow', 'wrist', 'hand')]
    for first, chain in (('left', [5, 14, 16, 18]), ('right', [6, 15, 17,
                                                              19])):
        assert [joints[v - 1] for v in chain] == [
            f'{first}_{joint}' for joint in ('hip', 'knee', 'ankle', 'foot')]
    assert [joints[v - 1] for v in (20, 3, 4, 7)] == [
        'head', 'shoulder_center', 'spine', 'hip_center']
