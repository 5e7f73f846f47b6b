"""The model families, one file each. To add a family, write its file and add its name to `FAMILIES`."""

from inference.models.families.base import Family
from inference.models.families.sd1 import SD1
from inference.models.families.sd2 import SD2
from inference.models.families.sd3 import SD3
from inference.models.families.sdxl import SDXL

FAMILIES: dict[str, Family] = {family.name: family for family in (SD1, SD2, SDXL, SD3)}
