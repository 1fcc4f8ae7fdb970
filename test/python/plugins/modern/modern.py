from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugin_runner import BaseAction, action


class Size(BaseModel):
    width: int = Field(gt=0, description="In pixels")


class ResizeParams(BaseModel):
    """How to resize."""

    model_config = ConfigDict(extra="forbid")
    sizes: list[Size]
    by_name: dict[str, int | str] = {}
    quality: int = Field(default=80, alias="q", le=100)

    @model_validator(mode="after")
    def enough(self):
        if len(self.sizes) > 2:
            raise ValueError("at most 2 sizes")
        return self


class ResizeResult(BaseModel):
    count: int


class ResizeAction(BaseAction[ResizeParams]):
    result_model = ResizeResult

    def execute(self):
        return ResizeResult(count=len(self.params.sizes)) if self.params.quality else {"wrong": 1}


@action
def resize(request: ResizeParams) -> ResizeResult:
    return ResizeResult(count=request.sizes[0].width)


@action
def mixed(size: Size, count: int = 1):
    return size.width * count
