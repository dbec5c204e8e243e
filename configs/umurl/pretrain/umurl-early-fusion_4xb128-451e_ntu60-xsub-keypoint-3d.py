_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

# Early fusion alone, the paper's simple baseline (Fig. 2a): two views of all
# modalities together are aligned and regularised.
model = dict(
    # None: all modalities of the encoder.
    branches=dict(fused=None),
    heads=dict(
        _delete_=True,
        intra=dict(type='IntraModalConsistencyHead', loss_weight=5.0),
        regularizer=dict(
            type='VarianceCovarianceHead', var_weight=5.0, cov_weight=1.0)))
