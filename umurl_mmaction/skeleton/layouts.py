"""The known layouts as data: the arguments of ``Layout``, by name.

Sides are those of the person, and all shoulders go from left to right.
"""
from typing import Any

# Joints that several layouts start with or contain.
_COCO = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
         'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
         'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
         'right_knee', 'left_ankle', 'right_ankle')
_KINECT_LIMBS = ('left_shoulder', 'left_elbow', 'left_wrist', 'left_hand',
                 'right_shoulder', 'right_elbow', 'right_wrist', 'right_hand',
                 'left_hip', 'left_knee', 'left_ankle', 'left_foot',
                 'right_hip', 'right_knee', 'right_ankle', 'right_foot')
_COCO_PARENTS = (-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14)

KNOWN_LAYOUTS: dict[str, dict[str, Any]] = {
    # NTU RGB+D and PKU-MMD have the joint order of the Kinect v2 SDK. The
    # bones are those of 2s-AGCN, with the spine-shoulder as the root.
    'nturgb+d': dict(
        source='https://learn.microsoft.com/en-us/previous-versions/windows/'
        'kinect/dn758663(v=ieb.10)',
        joints=('spine_base', 'spine_mid', 'neck', 'head', *_KINECT_LIMBS,
                'spine_shoulder', 'left_hand_tip', 'left_thumb',
                'right_hand_tip', 'right_thumb'),
        parents=(1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16,
                 17, 18, -1, 22, 7, 24, 11),
        center=1,
        shoulders=(4, 8)),
    # NW-UCLA, UTD-MHAD and MSRC-12 have the joint order of the Kinect v1 SDK
    # (NUI_SKELETON_POSITION_INDEX).
    'kinect-v1': dict(
        source='https://cnblogs.com/mumuliang/p/2099392.html',
        joints=('hip_center', 'spine', 'shoulder_center', 'head',
                *_KINECT_LIMBS),
        parents=(-1, 0, 1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16,
                 17, 18),
        center=0,
        shoulders=(4, 8)),
    # MSR-Action3D: the joints of Kinect v1 in another order. Its page names no
    # joint, and public code disagrees on the sides. In the files, joint 0 is
    # at the smaller x of a person who faces the camera, as the left shoulder
    # is in Kinect's coordinates, and the arm of joints 1, 8, 10 and 12 moves
    # where one is enough; the paper asked for the right one.
    'msr': dict(
        source='https://sites.google.com/view/wanqingli/data-sets/'
        'msr-action3d',
        joints=('left_shoulder', 'right_shoulder', 'shoulder_center', 'spine',
                'left_hip', 'right_hip', 'hip_center', 'left_elbow',
                'right_elbow', 'left_wrist', 'right_wrist', 'left_hand',
                'right_hand', 'left_knee', 'right_knee', 'left_ankle',
                'right_ankle', 'left_foot', 'right_foot', 'head'),
        parents=(2, 2, 3, 6, 6, 6, -1, 0, 1, 7, 8, 9, 10, 4, 5, 13, 14, 15, 16,
                 2),
        center=6,
        shoulders=(0, 1)),
    # SBU Kinect Interaction: the joints of OpenNI, as the README of the set
    # lists them.
    'sbu': dict(
        source='https://www3.cs.stonybrook.edu/~kyun/research/'
        'kinect_interaction/index.html',
        joints=('head', 'neck', 'torso', 'left_shoulder', 'left_elbow',
                'left_hand', 'right_shoulder', 'right_elbow', 'right_hand',
                'left_hip', 'left_knee', 'left_foot', 'right_hip',
                'right_knee', 'right_foot'),
        parents=(1, 2, -1, 1, 3, 4, 1, 6, 7, 2, 9, 10, 2, 12, 13),
        center=2,
        shoulders=(3, 6)),
    # Human3.6M without the joints that never move, as VideoPose3D and what
    # lifts 2D keypoints with its data have it. Some tables in MMPose name the
    # legs the other way round.
    'h36m': dict(
        source='https://github.com/facebookresearch/VideoPose3D/blob/main/'
        'common/h36m_dataset.py',
        joints=('root', 'right_hip', 'right_knee', 'right_foot', 'left_hip',
                'left_knee', 'left_foot', 'spine', 'thorax', 'neck_base',
                'head', 'left_shoulder', 'left_elbow', 'left_wrist',
                'right_shoulder', 'right_elbow', 'right_wrist'),
        parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
        center=0,
        shoulders=(11, 14)),
    # The body of SMPL; SMPL-H and SMPL-X start with the first 22.
    'smpl': dict(
        source='https://github.com/vchoutas/smplx/blob/main/smplx/'
        'joint_names.py',
        joints=('pelvis', 'left_hip', 'right_hip', 'spine1', 'left_knee',
                'right_knee', 'spine2', 'left_ankle', 'right_ankle', 'spine3',
                'left_foot', 'right_foot', 'neck', 'left_collar',
                'right_collar', 'head', 'left_shoulder', 'right_shoulder',
                'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist',
                'left_hand', 'right_hand'),
        parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16,
                 17, 18, 19, 20, 21),
        center=0,
        shoulders=(16, 17)),
    # The trees of `coco` and `openpose` follow the `inward` edges of
    # MMAction2's `Graph`. Its transform `JointToBone` has other trees under
    # the same names: for `coco`, it hangs both hips from the nose (here from
    # the shoulder of their side); for `openpose`, its root is the nose, and
    # the neck hangs from it (here the neck is the root). So the bones at these
    # joints differ.
    'coco': dict(
        source='https://cocodataset.org/#keypoints-eval',
        joints=_COCO,
        parents=_COCO_PARENTS,
        center=0,
        shoulders=(5, 6)),
    # The first 23 of the 133 keypoints: body and feet.
    'coco-wholebody': dict(
        source='https://github.com/jin-s13/COCO-WholeBody',
        joints=(*_COCO, 'left_big_toe', 'left_small_toe', 'left_heel',
                'right_big_toe', 'right_small_toe', 'right_heel'),
        parents=(*_COCO_PARENTS, 15, 15, 15, 16, 16, 16),
        center=0,
        shoulders=(5, 6)),
    # The bones are those of MMPose; the nose hangs from the neck, as in
    # `openpose`, rather than both ears from the shoulders.
    'halpe26': dict(
        source='https://github.com/Fang-Haoshu/Halpe-FullBody',
        joints=(*_COCO, 'head', 'neck', 'hip', 'left_big_toe', 'right_big_toe',
                'left_small_toe', 'right_small_toe', 'left_heel',
                'right_heel'),
        parents=(18, 0, 0, 1, 2, 18, 18, 5, 6, 7, 8, 19, 19, 11, 12, 13, 14,
                 18, -1, 18, 15, 16, 15, 16, 15, 16),
        center=18,
        shoulders=(5, 6)),
    # OpenPose's 18-point COCO model.
    'openpose': dict(
        source='https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/'
        'master/doc/02_output.md',
        joints=('nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist',
                'left_shoulder', 'left_elbow', 'left_wrist', 'right_hip',
                'right_knee', 'right_ankle', 'left_hip', 'left_knee',
                'left_ankle', 'right_eye', 'left_eye', 'right_ear',
                'left_ear'),
        parents=(1, -1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15),
        center=1,
        shoulders=(5, 2)),
    # OpenPose's default model, with the bones that it draws.
    'body_25': dict(
        source='https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/'
        'master/doc/02_output.md',
        joints=('nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist',
                'left_shoulder', 'left_elbow', 'left_wrist', 'mid_hip',
                'right_hip', 'right_knee', 'right_ankle', 'left_hip',
                'left_knee', 'left_ankle', 'right_eye', 'left_eye',
                'right_ear', 'left_ear', 'left_big_toe', 'left_small_toe',
                'left_heel', 'right_big_toe', 'right_small_toe', 'right_heel'),
        parents=(1, -1, 1, 2, 3, 1, 5, 6, 1, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16,
                 14, 19, 14, 11, 22, 11),
        center=1,
        shoulders=(5, 2)),
    # MediaPipe Pose (BlazePose GHUM). It has no joint between the hips, so the
    # trunk hangs as in `coco`.
    'mediapipe': dict(
        source='https://ai.google.dev/edge/mediapipe/solutions/vision/'
        'pose_landmarker',
        joints=('nose', 'left_eye_inner', 'left_eye', 'left_eye_outer',
                'right_eye_inner', 'right_eye', 'right_eye_outer', 'left_ear',
                'right_ear', 'mouth_left', 'mouth_right', 'left_shoulder',
                'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist',
                'right_wrist', 'left_pinky', 'right_pinky', 'left_index',
                'right_index', 'left_thumb', 'right_thumb', 'left_hip',
                'right_hip', 'left_knee', 'right_knee', 'left_ankle',
                'right_ankle', 'left_heel', 'right_heel', 'left_foot_index',
                'right_foot_index'),
        parents=(-1, 0, 1, 2, 0, 4, 5, 3, 6, 0, 0, 0, 0, 11, 12, 13, 14, 15,
                 16, 15, 16, 15, 16, 11, 12, 23, 24, 25, 26, 27, 28, 27, 28),
        center=0,
        shoulders=(11, 12)),
}
