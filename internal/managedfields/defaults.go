package managedfields

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/sets"
)

// serverDefaults are the values that the API server fills in, in the kinds that templates hold
// by default, by the names of the fields. They come from pkg/apis/core/v1/defaults.go and
// pkg/apis/apps/v1/defaults.go of kubernetes/kubernetes. A field that is not among them has no
// default but nothing at all.
//
// Where the server itself can be asked, its dry run tells more than this table. It is for those
// who compare a whole fleet without a request for each object.
var serverDefaults = map[string]any{
	// Services.
	"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "externalTrafficPolicy": "Cluster",
	"ipFamilyPolicy": "SingleStack", "allocateLoadBalancerNodePorts": true, "protocol": "TCP",
	// StatefulSets.
	"replicas": int64(1), "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": int64(10),
	"partition": int64(0), "maxUnavailable": int64(1), "whenDeleted": "Retain", "whenScaled": "Retain", "volumeMode": "Filesystem",
	// Pods.
	"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
	"terminationGracePeriodSeconds": int64(30), "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
	"timeoutSeconds": int64(1), "periodSeconds": int64(10), "successThreshold": int64(1), "failureThreshold": int64(3), "scheme": "HTTP",
	"apiVersion": "v1", "kind": "PersistentVolumeClaim", "defaultMode": int64(420), "expirationSeconds": int64(3600), "divisor": "0",
}

// serverChosen are the fields that the server sets to something of its own, whatever it is.
var serverChosen = sets.New("clusterIP", "clusterIPs", "ipFamilies", "nodePort", "healthCheckNodePort", "status", "creationTimestamp")

// freeMaps are the fields that hold mappings whose keys are the user's: the server adds none.
var freeMaps = sets.New("labels", "annotations", "matchLabels", "nodeSelector", "selector", "data", "binaryData", "stringData",
	"requests", "limits")

// isServerDefault reports whether a field that nobody asks for has a value that the server gives
// it. `around` is the mapping with the field.
func isServerDefault(name string, value any, around map[string]any) bool {
	if fields, ok := value.(map[string]any); ok && !serverChosen.Has(name) {
		for below, field := range fields {
			if freeMaps.Has(name) || !isServerDefault(below, field, fields) {
				return false
			}
		}
		return true
	}
	switch name {
	case "clusterIP", "clusterIPs":
		return !isHeadlessValue(value)
	case "type":
		return value == "ClusterIP" || value == "RollingUpdate" || value == ""
	case "serviceAccount":
		return equality.Semantic.DeepEqual(value, around["serviceAccountName"])
	case "targetPort":
		return equality.Semantic.DeepEqual(value, around["port"])
	case "imagePullPolicy":
		image, _ := around["image"].(string)
		return value == defaultPullPolicy(image)
	}
	if byDefault, ok := serverDefaults[name]; ok {
		return equality.Semantic.DeepEqual(value, byDefault)
	}
	return serverChosen.Has(name) || isNothing(value)
}

func isHeadlessValue(value any) bool {
	addresses, _ := value.([]any)
	return value == headless || slices.Contains(addresses, any(headless))
}

// defaultPullPolicy is Always for an image whose tag may move.
func defaultPullPolicy(image string) string {
	name, digest, _ := strings.Cut(image, "@")
	_, tag, hasTag := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	if digest == "" && (!hasTag || tag == "latest") {
		return "Always"
	}
	return "IfNotPresent"
}

// isNothing reports whether a value is the zero value of its type, which the server leaves out
// of many objects.
func isNothing(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case string:
		return value == ""
	case int64:
		return value == 0
	case float64:
		return value == 0
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}

// meaningfulZeros are fields in which a zero value is not the same as none.
var meaningfulZeros = sets.New("automountServiceAccountToken", "enableServiceLinks", "allowPrivilegeEscalation", "runAsNonRoot",
	"runAsUser", "runAsGroup", "fsGroup", "privileged", "readOnlyRootFilesystem", "hostUsers", "replicas", "publishNotReadyAddresses",
	"allocateLoadBalancerNodePorts", "tolerationSeconds", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "optional")
