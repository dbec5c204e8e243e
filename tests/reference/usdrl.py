"""USDRL's loss in plain tensor operations, on features of the views."""
from torch.nn import functional as F

from .model import covariance, feature, projection, variance

mse = F.mse_loss


def objective(singles, fused):
    """5 S + R of a domain: projections of the views and of the last one."""
    center = sum(singles) / len(singles)
    similarity = sum(mse(z, fused) + mse(z, center) for z in singles)
    spread = sum(5 * variance(z) + covariance(z) for z in [*singles, fused])
    return 5 * similarity + spread


def usdrl_loss(features, width, project):
    """The sum over the domains: the whole feature, and half of its parts.

    ``features`` are [temporal | spatial], ``project`` maps a domain and a
    part of the feature to its projection.
    """
    domains = dict(
        instance=(1, slice(None)),
        temporal=(0.5, slice(0, width)),
        spatial=(0.5, slice(width, None)))
    total = 0
    for domain, (weight, channels) in domains.items():
        *singles, fused = (
            project(domain, feature[:, channels]) for feature in features)
        total = total + weight * objective(singles, fused)
    return total


def usdrl_joint_loss(w, views, width, num_layers=2):
    """The loss of views of joints, with one projector of each domain."""

    def project(domain, part):
        necks = 'neck' if domain == 'instance' else f'part_necks.{domain}'
        return projection(w, 'shared', part, necks)

    features = [
        feature(w, dict(joint=view), num_layers=num_layers) for view in views
    ]
    return usdrl_loss(features, width, project)
