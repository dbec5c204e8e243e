_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

train_dataloader = dict(dataset=dict(ann_file='data/skeleton/pkummd2_3d.pkl'))
