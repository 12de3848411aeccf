package protocoltest_test

// feature is a part of a template that can be written in several ways. Each way is a YAML
// map that is merged into the object: maps by their keys, and lists whose items have a name,
// a port or a path by that. DROP removes a field, and REVERSE turns a list around. A feature
// that is not drawn leaves the object as it is.
type feature struct {
	kind string
	at   string // path of the map that the ways are merged into
	ways []string
}

// Where the ways of features are merged.
const (
	pod   = "spec/template/spec"
	mira  = pod + "/containers/mira"
	caddy = pod + "/containers/caddy"
)

// The features of a template, beside what the edits of the randomised test change: fields
// that the server fills in, keeps, allocates or derives from others, the shapes of templates
// with which people had trouble, and plain ones around them.
var features = [][]feature{serviceFeatures, ingressFeatures, workloadFeatures, podFeatures, containerFeatures}

var serviceFeatures = []feature{
	{"Service", "spec", []string{
		"{type: DROP}", "{type: NodePort}", "{type: LoadBalancer}", "{type: null}", "{type: NodePort, externalTrafficPolicy: Local}",
		"{type: LoadBalancer, externalTrafficPolicy: Local}", "{type: LoadBalancer, allocateLoadBalancerNodePorts: false}",
		"{type: LoadBalancer, loadBalancerClass: example.com/a}", "{type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8]}",
		"{type: ExternalName, externalName: mira.example.com}",
		"{type: ExternalName, externalName: mira.example.com, ports: DROP, selector: DROP}",
		"{type: NodePort, externalTrafficPolicy: Cluster}", "{type: LoadBalancer, loadBalancerIP: 192.0.2.1}",
		"{type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: '%PORT_3%'}",
	}},
	{"Service", "spec", []string{
		"{clusterIP: None}", "{clusterIP: None, type: DROP}", "{clusterIP: None, publishNotReadyAddresses: true}", "{clusterIP: ''}",
		"{clusterIPs: [None], clusterIP: None}", "{clusterIP: None, ports: DROP}",
	}},
	{"Service", "spec", []string{
		"{sessionAffinity: ClientIP}", "{sessionAffinity: None}",
		"{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}}}",
	}},
	{"Service", "spec", []string{
		"{ipFamilyPolicy: SingleStack}", "{ipFamilyPolicy: PreferDualStack}", "{ipFamilies: [IPv4]}",
		"{ipFamilyPolicy: SingleStack, ipFamilies: [IPv4]}",
	}},
	{"Service", "spec", []string{"{internalTrafficPolicy: Local}", "{internalTrafficPolicy: Cluster}"}},
	{"Service", "spec", []string{"{externalTrafficPolicy: Local}", "{externalTrafficPolicy: Cluster}"}},
	{"Service", "spec", []string{"{publishNotReadyAddresses: true}", "{publishNotReadyAddresses: false}"}},
	{"Service", "spec", []string{"{externalIPs: [192.0.2.7]}", "{externalIPs: [192.0.2.8, 192.0.2.7]}", "{externalIPs: []}"}},
	{"Service", "spec", []string{"{trafficDistribution: PreferClose}", "{trafficDistribution: PreferSameNode}"}},
	{"Service", "spec", []string{"{selector: DROP}", "{selector: {tier: web}}", "{selector: {app: DROP}}"}},
	{"Service", "spec", []string{
		"{ports: [{name: https, nodePort: '%PORT_1%'}]}", "{type: NodePort, ports: [{name: https, nodePort: '%PORT_1%'}]}",
		"{type: NodePort, ports: [{name: https, nodePort: '%PORT_1%'}, {name: http, nodePort: '%PORT_2%'}]}",
		"{type: LoadBalancer, ports: [{name: http, nodePort: '%PORT_2%'}]}",
		"{type: NodePort, ports: [{name: https, nodePort: '%PORT_2%'}]}",
	}},
	{"Service", "spec", []string{
		"{ports: [{name: https, protocol: DROP}]}", "{ports: [{name: http, protocol: TCP}]}", "{ports: [{name: https, targetPort: DROP}]}",
		"{ports: [{name: https, targetPort: 8443}]}", "{ports: [{name: http, appProtocol: http}]}", "{ports: REVERSE}",
		"{ports: [{name: dns, port: 53, protocol: UDP}]}", "{ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]}",
		"{ports: [{name: alone, port: 80}]}",
	}},
	{"Service", "metadata", []string{
		"{annotations: {example.com/note: a}}", "{annotations: {example.com/note: ''}}", "{labels: {tier: web}}", "{annotations: {}}",
		"{annotations: null, labels: null}",
	}},
}

var ingressFeatures = []feature{
	{"Ingress", "spec", []string{"{ingressClassName: DROP}", "{ingressClassName: caddy}", "{ingressClassName: nginx}"}},
	{"Ingress", "metadata", []string{
		"{annotations: {kubernetes.io/ingress.class: nginx}}", "{annotations: {kubernetes.io/ingress.class: caddy}}",
		"{annotations: {nginx.ingress.kubernetes.io/ssl-passthrough: 'true'}}",
	}},
	{"Ingress", "spec", []string{
		"{tls: [{hosts: [a.example.com], secretName: a}]}", "{tls: [{secretName: a}]}", "{tls: [{hosts: [a.example.com]}, {secretName: b}]}",
		"{tls: []}", "{tls: [{}]}",
	}},
	{"Ingress", "spec", []string{
		"{defaultBackend: {service: {name: mira-%CLIENT_NAME%, port: {name: https}}}}",
		"{defaultBackend: {service: {name: mira-%CLIENT_NAME%, port: {number: 443}}}}",
		"{defaultBackend: {resource: {apiGroup: example.com, kind: Bucket, name: files}}}",
		"{rules: DROP, defaultBackend: {service: {name: mira-%CLIENT_NAME%, port: {number: 80}}}}",
	}},
	{"Ingress", "spec", []string{
		"{rules: [{host: b.example.com, http: {paths: [{path: /b, pathType: Exact, backend: {service: {name: b, port: {number: 1}}}}]}}]}",
		"{rules: [{host: b.example.com}]}", "{rules: REVERSE}",
		"{rules: [{http: {paths: [{pathType: ImplementationSpecific, backend: {service: {name: b, port: {name: b}}}}]}}]}",
		"{rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {resource: {kind: Bucket, name: b, apiGroup: b.example}}}]}}]}",
	}},
}

var workloadFeatures = []feature{
	{"StatefulSet", "spec", []string{
		"{updateStrategy: {type: OnDelete}}", "{updateStrategy: {type: RollingUpdate}}", "{updateStrategy: null}", "{updateStrategy: {}}",
		"{updateStrategy: {rollingUpdate: {partition: 1}}}", "{updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}}",
		"{updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2, maxUnavailable: 1}}}",
		"{updateStrategy: {rollingUpdate: {maxUnavailable: 50%}}}", "{updateStrategy: {rollingUpdate: {maxUnavailable: 2}}}",
		"{updateStrategy: {type: Recreate}}", "{updateStrategy: {type: RollingUpdate, rollingUpdate: null}}",
		"{updateStrategy: {type: RollingUpdate, rollingUpdate: {}}}",
	}},
	{"StatefulSet", "spec", []string{"{replicas: DROP}", "{replicas: 2}", "{replicas: 0}", "{replicas: 1}"}},
	{"StatefulSet", "spec", []string{"{podManagementPolicy: DROP}", "{podManagementPolicy: Parallel}", "{podManagementPolicy: OrderedReady}"}},
	{"StatefulSet", "spec", []string{"{serviceName: DROP}", "{serviceName: other}", "{serviceName: ''}"}},
	{"StatefulSet", "spec", []string{"{minReadySeconds: 5}", "{minReadySeconds: 0}"}},
	{"StatefulSet", "spec", []string{"{revisionHistoryLimit: 3}", "{revisionHistoryLimit: 10}", "{revisionHistoryLimit: 0}"}},
	{"StatefulSet", "spec", []string{"{ordinals: {start: 1}}", "{ordinals: {start: 0}}", "{ordinals: {}}"}},
	{"StatefulSet", "spec", []string{
		"{persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain}}",
		"{persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}}", "{persistentVolumeClaimRetentionPolicy: {}}",
	}},
	{"StatefulSet", "spec/volumeClaimTemplates/mira-data", []string{
		"{spec: {storageClassName: standard}}", "{spec: {storageClassName: ''}}", "{spec: {volumeMode: Filesystem}}",
		"{spec: {accessModes: [ReadWriteMany]}}", "{metadata: {labels: {tier: data}}}", "{metadata: {annotations: {a: b}}}",
		"{status: {phase: Pending}}", "{apiVersion: v1, kind: PersistentVolumeClaim}", "{metadata: {creationTimestamp: null}}",
		"{spec: {resources: {requests: {storage: 5368709120}}}}",
	}},
	{"StatefulSet", "spec", []string{
		"{volumeClaimTemplates: DROP}",
		"{volumeClaimTemplates: [{metadata: {name: more}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}",
	}},
	{"StatefulSet", "metadata", []string{"{annotations: {example.com/note: a}}", "{labels: {tier: app}}", "{annotations: {}}"}},
	{"Deployment", "spec", []string{
		"{strategy: {type: Recreate}}", "{strategy: {type: RollingUpdate}}", "{strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}}",
		"{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 50%}}}", "{strategy: {}}", "{strategy: null}",
	}},
	{"Deployment", "spec", []string{
		"{progressDeadlineSeconds: 60}", "{revisionHistoryLimit: 1}", "{minReadySeconds: 3}", "{paused: true}", "{replicas: DROP}",
	}},
	{"Deployment", pod, []string{
		"{serviceAccountName: controller}", "{serviceAccount: controller}", "{dnsPolicy: Default}", "{securityContext: {runAsUser: 1}}",
		"{terminationGracePeriodSeconds: 5}", "{hostNetwork: true}",
		"{containers: [{name: worker, image: 'mira:latest', ports: [{containerPort: 1}]}]}",
		"{volumes: [{name: v}]}", "{volumes: [{name: v, secret: {secretName: v}}]}",
	}},
}
