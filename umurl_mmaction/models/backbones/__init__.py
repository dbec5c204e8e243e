from .umurl_backbone import UmURLBackbone

__all__ = ['UmURLBackbone']
