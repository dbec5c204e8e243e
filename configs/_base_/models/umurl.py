_base_ = './umurl_backbone.py'

# The weights of the terms are those of pretrain.py in the paper's code.
model = dict(
    type='UmURL',
    neck=dict(type='ModalityProjector', out_channels=4096),
    heads=dict(
        intra=dict(type='IntraModalConsistencyHead', loss_weight=5.0),
        inter=dict(type='InterModalConsistencyHead', loss_weight=5.0),
        regularizer=dict(
            type='VarianceCovarianceHead', var_weight=5.0, cov_weight=1.0)))
