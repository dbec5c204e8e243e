_base_ = './umurl-knn_1xb512_ntu60-xsub-keypoint-3d.py'

ann_file = 'data/skeleton/ntu60_3d.pkl'
model = dict(
    gallery=dict(dataset=dict(ann_file=ann_file, split='xview_train')))
test_dataloader = dict(dataset=dict(ann_file=ann_file, split='xview_val'))
