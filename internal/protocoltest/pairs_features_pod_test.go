package protocoltest_test

import "strings"

var podFeatures = []feature{
	{"StatefulSet", pod, []string{
		"{serviceAccountName: controller}", "{serviceAccount: controller}", "{serviceAccountName: other, serviceAccount: other}",
		"{serviceAccountName: ''}", "{serviceAccountName: other}", "{serviceAccountName: default}", "{serviceAccountName: null}",
		"{serviceAccountName: '', serviceAccount: ''}",
	}},
	{"StatefulSet", pod, []string{"{automountServiceAccountToken: false}", "{automountServiceAccountToken: true}"}},
	{"StatefulSet", pod, []string{
		"{hostNetwork: true}", "{hostNetwork: false}", "{hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet}",
		"{hostPID: true}", "{hostIPC: true, hostPID: false}", "{shareProcessNamespace: true}", "{hostUsers: false}",
		"{hostNetwork: true, containers: [{name: mira, ports: [{containerPort: 8000, protocol: TCP, hostPort: 8000}]}]}",
	}},
	{"StatefulSet", pod, []string{
		"{dnsPolicy: Default}", "{dnsPolicy: ClusterFirst}", "{dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.53]}}",
		"{dnsConfig: {options: [{name: ndots, value: '2'}]}}", "{dnsConfig: {}}",
	}},
	{"StatefulSet", pod, []string{
		"{terminationGracePeriodSeconds: DROP}", "{terminationGracePeriodSeconds: 0}", "{terminationGracePeriodSeconds: 60}",
	}},
	{"StatefulSet", pod, []string{
		"{restartPolicy: Always}", "{schedulerName: other}", "{schedulerName: default-scheduler}", "{enableServiceLinks: false}",
		"{enableServiceLinks: true}", "{priorityClassName: high}", "{preemptionPolicy: Never}", "{runtimeClassName: gvisor}",
		"{hostname: mira}", "{subdomain: mira}", "{setHostnameAsFQDN: true}", "{os: {name: linux}}",
	}},
	{"StatefulSet", pod, []string{
		"{securityContext: {}}", "{securityContext: null}", "{securityContext: {runAsUser: 1000, fsGroup: 1000}}",
		"{securityContext: {runAsNonRoot: true}}", "{securityContext: {fsGroup: 0, fsGroupChangePolicy: OnRootMismatch}}",
		"{securityContext: {seccompProfile: {type: RuntimeDefault}}}",
		"{securityContext: {seccompProfile: {type: Localhost, localhostProfile: a.json}}}",
		"{securityContext: {supplementalGroups: [2, 1], sysctls: [{name: net.core.somaxconn, value: '1024'}]}}",
		"{securityContext: {appArmorProfile: {type: Unconfined}}}", "{securityContext: {windowsOptions: {hostProcess: false}}}",
	}},
	{"StatefulSet", pod, []string{
		"{tolerations: [{operator: Exists}]}", "{tolerations: [{key: a, effect: NoSchedule}, {key: b, operator: Exists}]}",
		"{tolerations: [{key: b, operator: Exists}, {key: a, operator: Equal, value: '', effect: NoSchedule}]}", "{tolerations: []}",
		"{tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 30}]}",
	}},
	{"StatefulSet", pod, []string{
		"{nodeSelector: {disk: ssd}}", "{nodeSelector: {disk: ssd, zone: a}}", "{nodeSelector: {}}", "{nodeName: some-node}",
	}},
	{"StatefulSet", pod, []string{
		"{affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: " +
			"{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: mira}}}}]}}}",
		"{affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [" +
			"{topologyKey: kubernetes.io/hostname, labelSelector: {matchExpressions: [{key: app, operator: In, values: [mira]}]}}]}}}",
		"{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" +
			"{matchExpressions: [{key: disk, operator: Exists}]}]}}}}",
		"{affinity: {}}", "{affinity: null}",
	}},
	{"StatefulSet", pod, []string{
		"{topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}",
		"{topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: " +
			"{matchLabels: {app: mira}}}, {maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]}",
		"{topologySpreadConstraints: [{maxSkew: 1, topologyKey: host, whenUnsatisfiable: DoNotSchedule, minDomains: 2, " +
			"nodeAffinityPolicy: Ignore}]}",
	}},
	{"StatefulSet", pod, []string{
		"{imagePullSecrets: [{name: a}]}", "{imagePullSecrets: [{name: b}, {name: a}]}", "{imagePullSecrets: []}",
		"{hostAliases: [{ip: 192.0.2.1, hostnames: [a, b]}]}", "{hostAliases: [{ip: 192.0.2.2, hostnames: [b]}, {ip: 192.0.2.1}]}",
		"{readinessGates: [{conditionType: example.com/ready}]}", "{readinessGates: []}",
	}},
	volumeFeature("files"), volumeFeature("cache"), volumeFeature("tmp"),
	{"StatefulSet", pod, []string{"{volumes: REVERSE}"}},
	{"StatefulSet", pod, []string{
		"{initContainers: [{name: migrate, image: 'mira:3.0', command: [migrate]}]}",
		"{initContainers: [{name: migrate, image: 'mira:3.0'}, {name: wait, image: 'busybox:1'}]}",
		"{initContainers: [{name: wait, image: 'busybox:1'}, {name: migrate, image: 'mira:3.0'}]}",
		"{initContainers: [{name: wait, image: 'busybox:1', restartPolicy: Always, startupProbe: {exec: {command: ['true']}}}]}",
		"{initContainers: [{name: wait, image: busybox}]}", "{initContainers: []}",
	}},
	{"StatefulSet", pod, []string{
		"{containers: REVERSE}", "{containers: [{name: extra, image: 'extra:1'}]}", "{containers: [{name: extra, image: extra, env: []}]}",
		"{containers: [{name: extra, image: 'extra:latest', imagePullPolicy: IfNotPresent, ports: [{containerPort: 1}]}]}",
	}},
	{"StatefulSet", "spec/template/metadata", []string{
		"{annotations: {sidecar.istio.io/inject: 'false'}}", "{annotations: {a: ''}}", "{labels: {version: '3.0'}}", "{creationTimestamp: null}",
		"{annotations: {container.apparmor.security.beta.kubernetes.io/mira: unconfined}}",
		"{annotations: {}}",
	}},
}

// volumeFeature is a volume with or without a source, mounted or not.
func volumeFeature(name string) feature {
	ways := []string{
		"{volumes: [{name: V}]}", "{volumes: [{name: V, emptyDir: null}]}", "{volumes: [{name: V, emptyDir: {}}]}",
		"{volumes: [{name: V, emptyDir: {medium: Memory, sizeLimit: 64Mi}}]}", "{volumes: [{name: V, emptyDir: {sizeLimit: 67108864}}]}",
		"{volumes: [{name: V, emptyDir: {medium: ''}}]}",
		"{volumes: [{name: V, configMap: {name: files}}]}", "{volumes: [{name: V, configMap: {name: files, optional: true, defaultMode: 256}}]}",
		"{volumes: [{name: V, configMap: {name: files, items: [{key: a, path: a}]}}]}", "{volumes: [{name: V, secret: {secretName: files}}]}",
		"{volumes: [{name: V, secret: {secretName: files, defaultMode: 420, optional: false}}]}",
		"{volumes: [{name: V, hostPath: {path: /srv}}]}", "{volumes: [{name: V, hostPath: {path: /srv, type: Directory}}]}",
		"{volumes: [{name: V, hostPath: {path: /srv, type: ''}}]}", "{volumes: [{name: V, persistentVolumeClaim: {claimName: data}}]}",
		"{volumes: [{name: V, projected: {sources: [{serviceAccountToken: {path: token}}]}}]}",
		"{volumes: [{name: V, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 600}}, {downwardAPI: " +
			"{items: [{path: cpu, resourceFieldRef: {containerName: mira, resource: limits.cpu, divisor: 1}}]}}]}}]}",
		"{volumes: [{name: V, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}]}",
		"{volumes: [{name: V, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: " +
			"{storage: 1024Mi}}}}}}]}",
		"{volumes: [{name: V, nfs: {server: nfs.example.com, path: /}}]}",
		"{volumes: [{name: V, csi: {driver: csi.example.com, readOnly: true}}]}",
		"{volumes: [{name: V, iscsi: {targetPortal: 192.0.2.3, iqn: 'iqn.2001-04.com.example:a', lun: 0}}]}",
		"{volumes: [{name: V, rbd: {monitors: [a], image: a}}]}",
	}
	for i, way := range ways {
		ways[i] = strings.ReplaceAll(way, "name: V", "name: "+name)
		if i%2 == 0 {
			ways[i] = strings.TrimSuffix(ways[i], "}") +
				", containers: [{name: mira, volumeMounts: [{name: " + name + ", mountPath: /" + name + "}]}]}"
		}
	}
	return feature{kind: "StatefulSet", at: pod, ways: ways}
}

var containerFeatures = []feature{
	{"StatefulSet", mira, []string{
		"{image: 'mira:latest'}", "{image: mira}", "{image: 'registry:5000/mira'}",
		"{image: 'mira@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}", "{image: 'mira:3.1'}",
		"{image: 'mira:latest', imagePullPolicy: IfNotPresent}",
	}},
	{"StatefulSet", mira, []string{"{imagePullPolicy: Always}", "{imagePullPolicy: IfNotPresent}", "{imagePullPolicy: ''}"}},
	{"StatefulSet", caddy, []string{"{image: caddy}", "{image: 'caddy:latest'}", "{imagePullPolicy: Never}"}},
	{"StatefulSet", mira, []string{
		"{command: [mira]}", "{command: [mira, serve], args: ['--port', '8000']}", "{args: []}", "{workingDir: /srv}",
		"{stdin: true, tty: true}", "{stdin: false}", "{terminationMessagePath: /tmp/end}", "{terminationMessagePolicy: FallbackToLogsOnError}",
		"{terminationMessagePolicy: File}",
	}},
	{"StatefulSet", mira, []string{
		"{env: [{name: TOKEN, value: plain}]}", "{env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: token, key: token}}}]}",
		"{env: [{name: TOKEN}]}", "{env: [{name: TOKEN, value: ''}]}", "{env: [{name: TOKEN, value: null}]}",
		"{env: [{name: TOKEN, valueFrom: {configMapKeyRef: {name: token, key: token, optional: true}}}]}",
		"{env: [{name: TOKEN, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}",
		"{env: [{name: TOKEN, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.podIP}}}]}",
		"{env: [{name: TOKEN, valueFrom: {resourceFieldRef: {resource: limits.memory}}}]}",
		"{env: [{name: TOKEN, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}]}",
	}},
	{"StatefulSet", mira, []string{
		"{env: [{name: BASE, value: /srv}, {name: FILES, value: $(BASE)/files}]}", "{env: REVERSE}", "{env: DROP}", "{env: []}",
		"{env: [{name: FILES, value: $(BASE)/files}, {name: BASE, value: /srv}]}",
	}},
	{"StatefulSet", mira, []string{
		"{envFrom: [{configMapRef: {name: a}}]}", "{envFrom: [{secretRef: {name: b}}, {prefix: A_, configMapRef: {name: a, optional: true}}]}",
		"{envFrom: []}",
	}},
	{"StatefulSet", mira, []string{
		"{ports: DROP}", "{ports: [{containerPort: 8000, protocol: DROP}]}", "{ports: [{containerPort: 8000, hostPort: 8000}]}",
		"{ports: [{containerPort: 9000}]}", "{ports: [{containerPort: 8000, protocol: UDP}]}", "{ports: [{containerPort: 8000, name: DROP}]}",
		"{ports: [{containerPort: 8000, hostIP: 127.0.0.1, hostPort: 8001}]}",
	}},
	{"StatefulSet", caddy, []string{
		"{ports: REVERSE}", "{ports: DROP}", "{volumeMounts: [{name: mira-data, mountPath: /data, subPath: caddy}]}",
	}},
	probeFeature("readinessProbe"), probeFeature("livenessProbe"), probeFeature("startupProbe"),
	{"StatefulSet", mira, []string{
		"{lifecycle: {preStop: {exec: {command: [sleep, '5']}}}}", "{lifecycle: {preStop: {sleep: {seconds: 5}}}}",
		"{lifecycle: {preStop: {httpGet: {port: 8000}}}}", "{lifecycle: {postStart: {httpGet: {port: app, path: /warm, scheme: HTTPS}}}}",
		"{lifecycle: {}}", "{lifecycle: {preStop: {tcpSocket: {port: 8000}}}}",
	}},
	{"StatefulSet", mira, []string{
		"{securityContext: {runAsUser: 0}}", "{securityContext: {privileged: true}}", "{securityContext: {}}",
		"{securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}",
		"{securityContext: {capabilities: {add: [NET_BIND_SERVICE], drop: []}, readOnlyRootFilesystem: true}}",
		"{securityContext: {seccompProfile: {type: RuntimeDefault}}}", "{securityContext: {procMount: Default}}",
		"{securityContext: {seccompProfile: {type: Localhost, localhostProfile: b.json}}}",
	}},
	{"StatefulSet", mira, []string{
		"{resources: DROP}", "{resources: {}}", "{resources: {limits: {cpu: 1, memory: 0.5Gi}}}",
		"{resources: {requests: {cpu: 1000m, memory: 512Mi}, limits: {cpu: '1', memory: 536870912}}}",
		"{resources: {requests: DROP}}", "{resources: {limits: DROP}}", "{resources: {limits: {memory: 1e9}}}",
		"{resources: {limits: {ephemeral-storage: 1Gi}}}", "{resources: {requests: {cpu: 0.1}}}", "{resources: {requests: {cpu: 0}}}",
		"{resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]}",
	}},
	{"StatefulSet", mira, []string{
		"{volumeMounts: REVERSE}", "{volumeMounts: [{mountPath: /var/lib/mira, readOnly: false}]}",
		"{volumeMounts: [{mountPath: /var/lib/mira, subPath: DROP}]}",
		"{volumeMounts: [{mountPath: /var/lib/mira, subPath: DROP, subPathExpr: $(CLIENT_NAME)}]}",
		"{volumeMounts: [{mountPath: /var/lib/mira, mountPropagation: HostToContainer}]}",
		"{volumeMounts: [{mountPath: /var/lib/mira, readOnly: true, recursiveReadOnly: IfPossible}]}",
	}},
}

// probeFeature is a probe with its handlers, and with the values that the server fills in.
func probeFeature(name string) feature {
	ways := []string{
		"{P: DROP}", "{P: {httpGet: {port: app}, tcpSocket: DROP}}", "{P: {tcpSocket: {port: 8000}, httpGet: DROP}}",
		"{P: {exec: {command: ['true']}, httpGet: DROP, tcpSocket: DROP}}", "{P: {grpc: {port: 8000}, httpGet: DROP, tcpSocket: DROP}}",
		"{P: {httpGet: {port: 8000, path: /, scheme: HTTP, httpHeaders: [{name: Host, value: a}]}, tcpSocket: DROP}}",
		"{P: {grpc: {port: 8000, service: a}, httpGet: DROP, tcpSocket: DROP, timeoutSeconds: 1}}",
		"{P: {httpGet: {port: 8000, scheme: HTTPS}, tcpSocket: DROP, failureThreshold: 3, successThreshold: 1, periodSeconds: 10}}",
		"{P: {httpGet: {port: app}, tcpSocket: DROP, initialDelaySeconds: 0, periodSeconds: DROP}}",
		"{P: {httpGet: {port: app}, tcpSocket: DROP, initialDelaySeconds: 5, failureThreshold: 60}}",
		"{P: {tcpSocket: {port: 8000, host: 127.0.0.1}, httpGet: DROP}}",
	}
	for i, way := range ways {
		ways[i] = "{" + name + way[2:]
	}
	return feature{kind: "StatefulSet", at: mira, ways: ways}
}
