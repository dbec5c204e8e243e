_base_ = './umurl-linear-bone_1xb512-150e_ntu60-xsub-keypoint-3d.py'

load_from = ('work_dirs/'
             'umurl-unimodal-bone_4xb128-451e_ntu60-xsub-keypoint-3d/'
             'epoch_451.pth')
