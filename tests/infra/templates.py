"""Templates as CloudFormation reads them: what refers to what, and what a value becomes."""

import re
from graphlib import CycleError, TopologicalSorter

ROOT = "template.yaml"
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "aisle",
    "AWS::URLSuffix": "amazonaws.com",
}
_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


def resources(template, kind=""):
    """Return the resources of a kind by their names; of every kind without one."""
    found = template["Resources"]
    return {name: each for name, each in found.items() if kind in {"", each["Type"]}}


def references(value):
    """Find every name that a part of a template refers to."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner.split(".")[0] if isinstance(inner, str) else inner[0]
            elif key == "Fn::Sub":
                text, own = inner if isinstance(inner, list) else (inner, {})
                yield from references(own)
                yield from (
                    name.split(".")[0] for name in _VARIABLE.findall(text) if name not in own
                )
            elif key == "DependsOn":
                yield from [inner] if isinstance(inner, str) else inner
            elif key != "Condition":
                yield from references(inner)


def dependencies(template):
    """Return of each resource those that have to be there before it; a nested stack is one."""
    names = {*resources(template)}
    return {
        name: {*references(each)} & names - {name} for name, each in resources(template).items()
    }


def circle(template):
    """Return resources that wait for each other in a circle; None where there is none."""
    try:
        TopologicalSorter(dependencies(template)).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def parameters(templates, name):
    """Return the values of a template's parameters: their defaults, or what the root gives them."""
    values = {
        key: each.get("Default", f"<{key}>")
        for key, each in templates[name].get("Parameters", {}).items()
    }
    for stack in resources(templates[ROOT], "AWS::CloudFormation::Stack").values():
        if stack["Properties"]["TemplateURL"] == name:
            given = resolve(stack["Properties"]["Parameters"], parameters(templates, ROOT))
            values |= given
    if name == "infra/bootstrap.yaml":
        values["Name"] = PSEUDO["AWS::StackName"]
    return values


def resolve(value, given):
    """Return a part of a template with its values put in; of a resource, `<its name>`."""
    if isinstance(value, list):
        return [resolve(each, given) for each in value]
    if not isinstance(value, dict):
        return value
    known = PSEUDO | given
    if "Ref" in value:
        return known.get(value["Ref"], f"<{value['Ref']}>")
    if "Fn::GetAtt" in value:
        found = value["Fn::GetAtt"]
        return f"<{found if isinstance(found, str) else '.'.join(found)}>"
    if "Fn::Sub" in value:
        found = value["Fn::Sub"]
        text, own = found if isinstance(found, list) else (found, {})
        known |= resolve(own, given)
        return _VARIABLE.sub(lambda match: str(known.get(match[1], f"<{match[1]}>")), text)
    return {key: resolve(inner, given) for key, inner in value.items()}
