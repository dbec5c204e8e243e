_base_ = '../finetune/umurl-finetune_1xb128-100e_pkummd2-xsub-keypoint-3d.py'

load_from = ('work_dirs/umurl_4xb128-451e_ntu60-xsub-keypoint-3d/'
             'epoch_451.pth')
