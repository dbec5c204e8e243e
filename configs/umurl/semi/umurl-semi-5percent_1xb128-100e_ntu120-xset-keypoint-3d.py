_base_ = '../finetune/umurl-finetune_1xb128-100e_ntu120-xset-keypoint-3d.py'

# 5 % of the labels of each class, the same clips in every run.
train_dataloader = dict(dataset=dict(label_fraction=0.05))
