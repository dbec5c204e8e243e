_base_ = './umurl-knn_1xb512_ntu60-xsub-keypoint-3d.py'

ann_file = 'data/skeleton/pkummd2_3d.pkl'
model = dict(gallery=dict(dataset=dict(ann_file=ann_file, split='xsub_train')))
test_dataloader = dict(dataset=dict(ann_file=ann_file, split='xsub_val'))
