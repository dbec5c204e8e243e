_base_ = './aagcn.py'

# For CPUs: a quarter of the channels and four of the ten stages.
encoder = dict(
    trunk=dict(
        base_channels=16,
        num_stages=4,
        inflate_stages=[3],
        down_stages=[2, 3]))
