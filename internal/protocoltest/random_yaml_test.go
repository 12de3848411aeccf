package protocoltest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// objects returns the template's documents, with placeholders.
func (c choices) objects() []map[string]any {
	all := []map[string]any{c.service(), c.ingress(), c.statefulSet()}
	for _, name := range c.Extra {
		spec := map[string]any{"selector": map[string]any{"client": "%CLIENT_NAME%"}, "ports": []any{map[string]any{"name": name, "port": 9100}}}
		if name == "headless" {
			spec["clusterIP"] = "None"
		}
		metadata := map[string]any{"name": extraName + name}
		all = append(all, map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
	}
	rand.New(rand.NewPCG(c.Order, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (c choices) service() map[string]any {
	var list []any
	for _, p := range c.Ports {
		fields := map[string]any{"name": p.Name, "port": p.Number, "targetPort": p.Name}
		if p.Protocol != "" {
			fields["protocol"] = p.Protocol
		}
		list = append(list, fields)
	}
	return map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": c.metadata("Service", clientName),
		"spec": map[string]any{"type": "ClusterIP", "selector": map[string]any{"app": "mira", "client": "%CLIENT_NAME%"}, "ports": list},
	}
}

func (c choices) ingress() map[string]any {
	var rules, routes, secured []any
	for _, path := range c.Paths {
		routes = append(routes, map[string]any{"path": path, "pathType": "Prefix", "backend": map[string]any{
			"service": map[string]any{"name": clientName, "port": map[string]any{"name": "https"}},
		}})
	}
	for _, host := range c.Hosts {
		rules = append(rules, map[string]any{"host": host, "http": map[string]any{"paths": routes}})
		secured = append(secured, host)
	}
	spec := map[string]any{"rules": rules}
	if c.Class != "" {
		spec["ingressClassName"] = c.Class
	}
	if c.TLS {
		spec["tls"] = []any{map[string]any{"hosts": secured, "secretName": "tls-%CLIENT_NAME%"}}
	}
	return map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": c.metadata("Ingress", clientName), "spec": spec,
		"status": map[string]any{"loadBalancer": map[string]any{}}, // as in an export
	}
}

func (c choices) statefulSet() map[string]any {
	var replicas any = c.Replicas
	if c.ByVariable {
		replicas = bare("%REPLICAS%")
	}
	storage := fmt.Sprintf("%dGi", c.Storage)
	if c.Spelling > 0 {
		storage = fmt.Sprintf("%dMi", c.Storage<<10)
	}
	pod := map[string]any{"containers": c.containers()}
	volumes := []any{map[string]any{"name": "mira-data", "persistentVolumeClaim": map[string]any{"claimName": "mira-data"}}}
	for _, name := range c.Scratch {
		volumes = append(volumes, map[string]any{"name": name, "emptyDir": map[string]any{}})
	}
	pod["volumes"] = volumes
	if c.Grace > 0 {
		pod["terminationGracePeriodSeconds"] = c.Grace
	}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": c.metadata("StatefulSet", clientName),
		"spec": map[string]any{
			"replicas": replicas, "serviceName": c.ServiceName, "podManagementPolicy": c.PodManagement,
			"selector": map[string]any{"matchLabels": map[string]any{"app": "mira"}},
			"template": map[string]any{"metadata": c.metadata("Pod", ""), "spec": pod},
			"volumeClaimTemplates": []any{map[string]any{
				"metadata": map[string]any{"name": "mira-data"},
				"spec": map[string]any{
					"accessModes": []any{"ReadWriteOnce"},
					"resources":   map[string]any{"requests": map[string]any{"storage": storage}},
				},
			}},
		},
	}
}

func (c choices) containers() []any {
	tag := c.Tags["mira"]
	if c.TagByVariable {
		tag = "%IMAGE_TAG%"
	}
	environment := []any{map[string]any{"name": "CLIENT_NAME", "value": "%CLIENT_NAME%"}}
	for _, v := range c.Env {
		environment = append(environment, map[string]any{"name": v.Name, "value": v.Value})
	}
	mounts := []any{map[string]any{"name": "mira-data", "mountPath": "/var/lib/mira", "subPath": "mira"}}
	for _, name := range c.Scratch {
		mounts = append(mounts, map[string]any{"name": name, "mountPath": "/" + name})
	}
	resources := map[string]any{"requests": map[string]any{"cpu": c.cpu(), "memory": c.memory(c.Memory)}}
	if c.Limit > 0 {
		resources["limits"] = map[string]any{"memory": c.memory(c.Limit)}
	}
	mira := map[string]any{
		"name": "mira", "image": "mira:" + tag, "env": environment, "volumeMounts": mounts, "resources": resources,
		"ports": []any{map[string]any{"name": "app", "containerPort": 8000, "protocol": "TCP"}},
	}
	for kind, probe := range c.Probes {
		switch probe {
		case "http":
			mira[kind] = map[string]any{"httpGet": map[string]any{"path": "/healthz", "port": "app"}, "periodSeconds": 5}
		case "tcp":
			mira[kind] = map[string]any{"tcpSocket": map[string]any{"port": 8000}, "periodSeconds": 5}
		}
	}
	all := []any{mira, map[string]any{
		"name": "caddy", "image": "caddy:" + c.Tags["caddy"],
		"command": []any{"caddy", "reverse-proxy", "--from", "%CLIENT_NAME%.%CLUSTER_DOMAIN%", "--to", "127.0.0.1:8000"},
		"ports":   []any{map[string]any{"name": "http", "containerPort": 80}, map[string]any{"name": "https", "containerPort": 443}},
	}}
	for i, name := range c.Sidecars {
		tag := c.Tags[name]
		if tag == "" {
			tag = "1.0"
		}
		// Some before the others, some behind.
		at := len(all)
		if i == 0 {
			at = 0
		}
		all = slices.Insert(all, at, any(map[string]any{"name": name, "image": name + ":" + tag, "args": []any{"--client", "%CLIENT_NAME%"}}))
	}
	return all
}

// text returns the template as someone might write it, in a style drawn at random.
func (c choices) text() string {
	w := &writer{r: rand.New(rand.NewPCG(c.Style, 1))}
	for i, object := range c.objects() {
		if i > 0 || w.r.IntN(2) == 0 {
			w.line("---")
		}
		w.mapping(object, "")
	}
	return w.String()
}

// writer writes YAML, and draws how: quotes, indents, comments, the order of keys.
type writer struct {
	strings.Builder
	r *rand.Rand
}

func (w *writer) line(text string) { w.WriteString(text + "\n") }

func (w *writer) mapping(fields map[string]any, indent string) {
	keys := slices.Sorted(maps.Keys(fields))
	w.r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, key := range keys {
		if w.r.IntN(15) == 0 {
			w.line(indent + "# about " + key)
		}
		w.entry(indent, key+":", fields[key])
	}
	if w.r.IntN(15) == 0 {
		w.line("")
	}
}

func (w *writer) entry(indent, key string, value any) {
	switch value := value.(type) {
	case map[string]any:
		if flow, ok := w.flow(value); ok {
			w.line(indent + key + " " + flow)
			return
		}
		w.line(indent + key)
		w.mapping(value, indent+"  ")
	case []any:
		w.line(indent + key)
		if w.r.IntN(2) == 0 {
			indent += "  "
		}
		for _, item := range value {
			fields, isMap := item.(map[string]any)
			if !isMap {
				w.line(indent + "- " + w.scalar(item, indent+"    "))
				continue
			}
			inner := &writer{r: w.r}
			inner.mapping(fields, indent+"  ")
			w.WriteString(indent + "-" + strings.TrimPrefix(inner.String(), indent+" "))
		}
	default:
		text := w.scalar(value, indent+"  ")
		if w.r.IntN(20) == 0 && !strings.Contains(text, "\n") {
			text += " # so"
		}
		w.line(indent + key + " " + text)
	}
}

// flow writes a map of scalars on one line, now and then.
func (w *writer) flow(fields map[string]any) (string, bool) {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch value := fields[key].(type) {
		case string:
			parts = append(parts, quoted(key)+": "+quoted(value))
		case int:
			parts = append(parts, fmt.Sprintf("%s: %d", key, value))
		default:
			return "", false
		}
	}
	return "{" + strings.Join(parts, ", ") + "}", len(parts) == 0 || w.r.IntN(4) == 0
}

// safe matches what YAML reads as a string without quotes, whatever the value of its
// placeholders; words are what it does not.
var (
	safe  = regexp.MustCompile(`^[A-Za-z%/][A-Za-z0-9%_./-]*(:[A-Za-z0-9%_./-]+)*$`)
	words = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

func (w *writer) scalar(value any, indent string) string {
	text, ok := value.(string)
	switch {
	case !ok:
		return fmt.Sprint(value)
	case strings.Contains(text, "\n") && w.r.IntN(2) == 0:
		return "|-\n" + indent + strings.ReplaceAll(text, "\n", "\n"+indent)
	case safe.MatchString(text) && !words.MatchString(text) && w.r.IntN(3) > 0:
		return text
	case !strings.Contains(text, "\n") && w.r.IntN(2) == 0:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return quoted(text)
}

func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}
