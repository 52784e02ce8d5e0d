"""The tree of resources: by account, region and service; services fill themselves when they are opened."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from replay_proxy.reports.inspect_text import data_text, grouped
from replay_proxy.reports.plain_text import plain
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource

OPEN_MAX = 60
"""Trees of up to so many resources are shown open."""
_FOUND_MAX = 2000
_NAME = 60


class ResourceTree(Tree[Resource | list[Resource] | None]):
    """Resources to choose from. Nodes of services hold their resources as data until they are opened."""

    def __init__(self, model: ResourceModel) -> None:
        super().__init__("resources", id="resources")
        self.model = model
        self.show_root = False
        self.guide_depth = 2
        self.border_subtitle = "enter: go over, open, close"

    def fill(self, resources: Sequence[Resource], *, opened: bool) -> None:
        """Show these resources. opened: all of them at once, as the outcome of a search."""
        self.clear()
        opened = opened or len(resources) <= OPEN_MAX
        left = _FOUND_MAX
        for account, regions in grouped(self.model, resources).items():
            account_node = self.root.add(Text(plain(account, _NAME), style="bold"), expand=True)
            for region, services in regions.items():
                region_node = account_node.add(Text(plain(region, _NAME)), expand=True)
                for service, found in services.items():
                    label = Text.assemble((service, "bold"), (f"  {len(found)}", "dim"))
                    node = region_node.add(label, data=found, expand=opened and left > 0)
                    if opened and left > 0:
                        self._open(node)
                        left -= len(found)
        if not resources:
            self.root.add_leaf(Text("nothing fits", style="dim"))
        self.root.expand()

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Resource | list[Resource] | None]) -> None:
        """Fill a service when it is opened."""
        self._open(event.node)

    def _open(self, node: TreeNode[Resource | list[Resource] | None]) -> None:
        if isinstance(node.data, list) and not node.children:
            for resource in node.data:
                node.add_leaf(_label(resource), data=resource)

    def show(self, resource: Resource) -> bool:
        """Move the cursor to a resource, opening what it lies in; return whether it is in the tree."""
        for account in self.root.children:
            for region in account.children:
                for service in region.children:
                    if isinstance(service.data, list) and resource in service.data:
                        self._open(service)
                        service.expand()
                        leaf = service.children[service.data.index(resource)]
                        self.call_after_refresh(self.move_cursor, leaf)
                        return True
        return False


def _label(resource: Resource) -> Text:
    noun = resource.type.rpartition("::")[2] or resource.type
    label = Text.assemble((plain(resource.label, _NAME), ""), (f"  {noun}", "dim"))
    if resource.data is not None and resource.data.count:
        label.append(f"  {data_text(resource.data)}", "dim italic")
    return label
