# METADATA
# title: Risk from the kinds of object touched
# description: |
#   Workloads without state come back by a rollback. State, access rights, network rules and definitions may not,
#   or reach beyond the service.
# scope: package
package rules.kinds

ordinary := {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "ServiceAccount"}

delicate := {
	"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "DaemonSet", "MutatingWebhookConfiguration",
	"Namespace", "NetworkPolicy", "PersistentVolume", "PersistentVolumeClaim", "Role", "RoleBinding", "Secret",
	"StatefulSet", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingWebhookConfiguration",
}

touched contains kind if some kind in input.diff.kinds

# What the commit leaves alone may differ on the cluster, and is altered with it.
touched contains kind if some kind in input.plan_diff.kinds

factor contains {"points": 3, "reason": reason} if {
	found := touched & delicate
	count(found) > 0
	reason := sprintf("Delicate kinds are touched: %s.", [concat(", ", sort(found))])
}

factor contains {"points": 1, "reason": reason} if {
	found := touched - (ordinary | delicate)
	count(found) > 0
	reason := sprintf("Uncommon kinds are touched: %s.", [concat(", ", sort(found))])
}
