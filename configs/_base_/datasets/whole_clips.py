# Whole clips without augmentation.
prepare = [dict(type='SkeletonPreNormalize')]
pipeline = [
    dict(type='TemporalCropResize', ratio=(1.0, 1.0)),
    dict(type='PackSkeletonInputs'),
]
# MMAction2's inference_skeleton needs this name.
test_pipeline = prepare + pipeline
