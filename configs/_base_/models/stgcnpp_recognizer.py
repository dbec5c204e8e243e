_base_ = './stgcnpp.py'

# MMAction2's ST-GCN++ (arXiv 2205.09443), supervised, on joints: its model
# for NTU RGB+D, stgcnpp_8xb16-joint-u100-80e_ntu60-xsub-keypoint-3d.py.

# MMAction2 has no graph of Kinect v1. Edges point to the centre between the
# shoulders, as those of its `nturgb+d` do.
kinect_v1 = dict(
    num_node=20,
    inward=[(0, 1), (1, 2), (3, 2), (4, 2), (5, 4), (6, 5), (7, 6), (8, 2),
            (9, 8), (10, 9), (11, 10), (12, 0), (13, 12), (14, 13), (15, 14),
            (16, 0), (17, 16), (18, 17), (19, 18)],
    center=2)
model = dict(
    type='RecognizerGCN',
    backbone=_base_.encoder.trunk,
    cls_head=dict(type='GCNHead', in_channels=256))
