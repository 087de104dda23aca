"""Templates as CloudFormation reads them: references between resources, and resolved values."""

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
    """Return the resources of a type by name; without a type, all resources."""
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if kind in {"", resource["Type"]}
    }


def references(value):
    """Yield every name that a part of a template refers to."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
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
    """Return for each resource the resources it depends on; a nested stack is one resource."""
    names = {*resources(template)}
    return {
        name: {*references(resource)} & names - {name}
        for name, resource in resources(template).items()
    }


def cycle(template):
    """Return a cycle of resources that depend on each other; None if there is none."""
    try:
        TopologicalSorter(dependencies(template)).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def parameters(templates, name):
    """Return the values of a template's parameters: defaults, or values from the root template."""
    values = {
        key: parameter.get("Default", f"<{key}>")
        for key, parameter in templates[name].get("Parameters", {}).items()
    }
    for stack in resources(templates[ROOT], "AWS::CloudFormation::Stack").values():
        if stack["Properties"]["TemplateURL"] == name:
            values |= resolve(stack["Properties"]["Parameters"], parameters(templates, ROOT))
    if name == "infra/bootstrap.yaml":
        values["Name"] = PSEUDO["AWS::StackName"]
    return values


def resolve(value, values):
    """Return a part of a template with `values` filled in; a resource becomes `<its name>`."""
    if isinstance(value, list):
        return [resolve(item, values) for item in value]
    if not isinstance(value, dict):
        return value
    known = PSEUDO | values
    if "Ref" in value:
        return known.get(value["Ref"], f"<{value['Ref']}>")
    if "Fn::GetAtt" in value:
        attribute = value["Fn::GetAtt"]
        return f"<{attribute if isinstance(attribute, str) else '.'.join(attribute)}>"
    if "Fn::Sub" in value:
        inner = value["Fn::Sub"]
        text, own = inner if isinstance(inner, list) else (inner, {})
        known |= resolve(own, values)
        return _VARIABLE.sub(lambda match: str(known.get(match[1], f"<{match[1]}>")), text)
    return {key: resolve(inner, values) for key, inner in value.items()}
