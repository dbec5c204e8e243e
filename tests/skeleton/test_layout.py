import json

import pytest
import torch

from umurl_mmaction.skeleton import LAYOUTS, build_layout
from umurl_mmaction.skeleton.modalities import MODALITIES, generate_modalities


# In MMAction2's 'nturgb+d', the finger tips hang on the hands.
@pytest.mark.parametrize('name', ['coco', 'openpose'])
def test_bones_agree_with_mmaction2_graph(name):
    from mmaction.models.utils import Graph
    layout = build_layout(name)
    bones = {(v, p) for v, p in enumerate(layout.parents) if p != -1}
    assert bones == {tuple(pair) for pair in Graph(name).inward}


@pytest.mark.parametrize('fields, message', [
    (dict(joints='abc', parents=(-1, 0)), '3 joint names but 2 parents'),
    (dict(joints='abc', parents=(-1, -1, 0)), 'exactly one root'),
    (dict(joints='abc', parents=(-1, 2, 1)), 'form a cycle'),
    (dict(joints='abc', parents=(-1, 0, 3)), r'joint index 3 is not in 0..2'),
    (dict(joints='abc', parents=(-1, 0, 1), center=-1), 'joint index -1 is'),
    (dict(joints='abc', parents=(-1, 0, 1), shoulders=(1, -1)),
     'joint index -1 is'),
    (dict(joints='abc', parents=(-1, 0, 0), center=3), 'joint index 3'),
    (dict(joints='abc', parents=(-1, 0, 0), root=0), "'root'"),
    ('kinect', "unknown layout 'kinect'; known are"),
])
def test_wrong_layouts_say_why(fields, message):
    with pytest.raises(ValueError, match=message) as error:
        build_layout(fields)
    assert '\n' not in str(error.value)


def test_custom_layout_is_a_dict():
    layout = build_layout(dict(joints='abc', parents=[-1, 0, 1]))
    assert layout.bone_starts == (0, 0, 1)
    joints = torch.tensor([[1.], [3.], [7.]])
    bones = generate_modalities(joints[None, None], ['bone'], layout)['bone']
    assert bones.flatten().tolist() == [0, 2, 4]


def test_modalities_match_the_plain_ones():
    from reference.model import MODALITIES as NAMES
    from reference.model import stream
    joints = torch.randn(2, 2, 7, 25, 3)
    streams = generate_modalities(joints, NAMES, build_layout('nturgb+d'))
    for name in NAMES:
        torch.testing.assert_close(streams[name], stream(joints, name))


def test_motion_of_one_frame_is_zero():
    joints = torch.randn(1, 1, 1, 25, 3)
    streams = generate_modalities(joints, ['motion'],
                                  build_layout('nturgb+d'))
    assert not streams['motion'].any()


def test_a_users_modality_is_a_function_in_the_table():
    MODALITIES.register_module(
        name='doubled', module=lambda joints, layout: 2 * joints)
    try:
        joints = torch.randn(1, 2, 3, 25, 3)
        streams = generate_modalities(joints, ['doubled'],
                                      build_layout('nturgb+d'))
        torch.testing.assert_close(streams['doubled'], 2 * joints)
    finally:
        MODALITIES.module_dict.pop('doubled')


@pytest.mark.parametrize('modalities, message', [
    (['joint', 'velocity'], "unknown modality 'velocity'; known are"),
    (['joint', 'joint'], 'distinct modalities'), ([], 'one or more')
])
def test_wrong_modalities_say_why(modalities, message):
    with pytest.raises(ValueError, match=message):
        generate_modalities(
            torch.zeros(1, 1, 1, 25, 3), modalities, build_layout('nturgb+d'))


def test_wrong_joint_count_says_why():
    with pytest.raises(ValueError, match="'nturgb\\+d' wants 25 joints"):
        generate_modalities(
            torch.zeros(1, 1, 1, 17, 3), ['joint'], build_layout('nturgb+d'))


def test_bones_of_mmaction2_s_transform_differ_where_the_comment_says():
    from mmaction.datasets.transforms.pose_transforms import JointToBone
    differ = {}
    for name in ('nturgb+d', 'coco', 'openpose'):
        layout = LAYOUTS[name]
        theirs = dict(JointToBone(dataset=name).pairs)
        differ[name] = {
            layout.joints[v]
            for v, start in enumerate(layout.bone_starts)
            if start != theirs[v]
        }
    assert differ == {
        'nturgb+d': set(),
        'coco': {'left_hip', 'right_hip'},
        'openpose': {'nose', 'neck'}
    }


def test_a_layout_is_described_by_plain_data():
    for layout in LAYOUTS.values():
        plain = json.loads(json.dumps(layout.to_dict()))
        assert plain == layout.to_dict()
        assert build_layout(plain) == layout


@pytest.mark.parametrize('joints, parents, part, members', [
    # The words are found in names of any style.
    (['Hips', 'LeftUpLeg', 'LeftToeBase', 'Head'], [-1, 0, 1, 0], 'left_leg',
     ['LeftUpLeg', 'LeftToeBase']),
    (['chest', 'forearm_r', 'R.Hand', 'ear_r'], [-1, 0, 1, 0], 'right_arm',
     ['forearm_r', 'R.Hand']),
    (['skull', 'head', 'RightEar', 'RightEarring'], [-1, 0, 1, 2], 'head',
     ['head', 'RightEar', 'RightEarring']),
    # A joint with another name belongs where its parent does.
    (['neck', 'left_hand', 'finger', 'tip'], [-1, 0, 1, 2], 'left_arm',
     ['left_hand', 'finger', 'tip']),
    # The middle of the shoulders and of the hips has no side.
    (['hip', 'shoulder_center', 'navel', 'left_hip'], [-1, 0, 0, 0], 'torso',
     ['hip', 'shoulder_center', 'navel']),
    (['a', 'b', 'c'], [-1, 0, 1], 'torso', ['a', 'b', 'c'])])
def test_parts_are_found_by_name(joints, parents, part, members):
    layout = build_layout(dict(joints=joints, parents=parents))
    assert [joints[v] for v in layout.parts[part]] == members
    assert list(layout.parts) == [
        'head', 'torso', 'left_arm', 'right_arm', 'left_leg', 'right_leg']


def test_a_source_makes_no_other_layout():
    coco = LAYOUTS['coco']
    copy = build_layout(coco.to_dict())
    assert copy == coco and not copy.source and coco.source
    assert hash(copy) == hash(coco)


@pytest.mark.parametrize('name', sorted(LAYOUTS))
def test_sides_are_found_by_name(name):
    layout = LAYOUTS[name]
    for v, w in enumerate(layout.mirrored):
        joint = layout.joints[v]
        expected = (
            joint.replace('left', 'right') if 'left' in joint else
            joint.replace('right', 'left'))
        assert layout.joints[w] == expected


@pytest.mark.parametrize('joints, mirrored', [
    (['Head', 'LeftHand', 'RightHand'], (0, 2, 1)),
    (['hand_l', 'hand_r', 'l5'], (1, 0, 2)),
    (['R.Hand', 'skull', 'L.Hand'], (2, 1, 0)),
    (['left_hand', 'head', 'neck'], (0, 1, 2)),
    (['lhand', 'rhand', 'all'], (0, 1, 2)),
])
def test_names_of_sides(joints, mirrored):
    layout = build_layout(dict(joints=joints, parents=[-1, 0, 0]))
    assert layout.mirrored == mirrored


@pytest.mark.parametrize('joints, pairs', [
    (['Head', 'RightHand', 'LeftHand'], ((2, 1), )),
    (['hand_l', 'hand_r', 'leg_r', 'leg_l'], ((0, 1), (3, 2))),
    (['left_hand', 'head', 'neck', 'nose'], ()),
])
def test_pairs_go_from_left_to_right(joints, pairs):
    parents = [-1] + [0] * (len(joints) - 1)
    assert build_layout(dict(joints=joints, parents=parents)).pairs == pairs


@pytest.mark.parametrize('name', sorted(LAYOUTS))
def test_limbs_hang_from_the_centre(name):
    layout = LAYOUTS[name]
    bones = {frozenset(bone) for bone in enumerate(layout.bone_starts)}
    assert {frozenset(bone) for bone in enumerate(layout.inner)} == (
        bones - {frozenset([layout.parents.index(-1)])}
        | {frozenset([layout.center])})
    assert layout.inner[layout.center] == layout.center
    assert layout.limbs[layout.center] == tuple(range(layout.num_joints))
    for v, w in enumerate(layout.inner):
        if v != w:
            assert v in layout.limbs[v] and w not in layout.limbs[v]
            assert set(layout.limbs[v]) < set(layout.limbs[w])
