# Views of umurl-plus, in place of the paper's. Every clip is cropped, also a
# short one, but never below half of it; fewer joints are corrupted, the shear
# is smaller, and the body turns about the vertical as if the camera stood
# elsewhere. configs/umurl/ablations.md shows what each of them does.
plus_views = dict(
    type='SkeletonMultiView',
    transforms=[[
        dict(type='TemporalCropResize', ratio=(0.5, 1.0), min_len=8),
        dict(
            type='RandomChoice',
            transforms=[[dict(type='JointCorruption', ratio=0.2)],
                        [dict(type='PoseShear', amplitude=0.3)]]),
        dict(type='PoseRotation', angle=0.5),
    ]])
