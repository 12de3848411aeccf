package mira

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// describe says how a client is. `notCompared` is why its objects could not be compared with
// the template.
func (s *survey) describe(name string, objects []*unstructured.Unstructured) (found FoundClient, notCompared, err error) {
	slices.SortFunc(objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(compareKinds(a.GroupVersionKind().GroupKind(), b.GroupVersionKind().GroupKind()), cmp.Compare(a.GetName(), b.GetName()))
	})
	found = FoundClient{Namespace: s.namespace, Name: name}
	for _, object := range objects {
		found.Objects = append(found.Objects, kube.RefOf(object).Key())
		found.IsManaged = found.IsManaged || object.GetLabels()[ClientLabel] != ""
	}
	of := &clientSurvey{survey: s, name: name, objects: objects, fields: s.fields}
	if s.template != nil {
		of.recover()
		found.AdminEmail = of.recovered.Values[template.PlaceholderAdminEmail]
		found.Variables = of.ownVariables()
		notCompared = of.compare(&found)
	}
	of.show(&found)
	found.Rollout, err = of.health()
	return found, notCompared, err
}

// clientSurvey is a client of a survey.
type clientSurvey struct {
	*survey
	name      string
	objects   []*unstructured.Unstructured
	recovered *recoveredValues // nil without a template
	// fields hides the client's secrets, as far as they are known.
	fields *managedfields.Manager
}

// fleetValues are the values of the fleet, with the client's name. The client's own secrets are
// not among them.
func (s *clientSurvey) fleetValues() template.Values {
	values := s.fleet
	values.ClientName = s.name
	values.Secrets = maps.Clone(values.Secrets)
	for _, object := range s.objects {
		for _, name := range secretNames(object) {
			delete(values.Secrets, name)
		}
	}
	return values
}

// recover reads the values of the placeholders out of the client's objects.
func (s *clientSurvey) recover() {
	s.recovered = s.recoverFrom(s.template, s.fleetValues(), s.lookUp)
	s.fields = s.hiding(append(s.recovered.hidden, s.recovered.secrets)...).fields
}

func (s *clientSurvey) lookUp(kind schema.GroupKind, name string) *unstructured.Unstructured {
	for _, object := range s.objects {
		if object.GetName() == name && object.GroupVersionKind().GroupKind() == kind {
			return object
		}
	}
	return nil
}

// ownVariables are the variables that the fleet lacks, or has with another value.
func (s *clientSurvey) ownVariables() map[string]string {
	own := make(map[string]string)
	for name, value := range s.recovered.Values {
		if has, ok := s.settings.Variables[name]; template.ValidVariableName(name) == nil && (!ok || has != value) {
			own[name] = value
		}
	}
	return own
}

// values are those with which the template is rendered for the client. What nothing tells is
// [openValue].
func (s *clientSurvey) values() template.Values {
	values := s.fleetValues()
	values.Variables = maps.Clone(values.Variables)
	if values.Variables == nil {
		values.Variables = make(map[string]string)
	}
	if values.Secrets == nil {
		values.Secrets = make(map[string]string)
	}
	set := func(name, value string) {
		switch name {
		case template.PlaceholderAdminEmail:
			values.AdminEmail = value
		case template.PlaceholderClusterDomain:
			values.ClusterDomain = &value
		default:
			values.Variables[name] = value
		}
	}
	for name, value := range s.recovered.Values {
		set(name, value)
	}
	for _, conflict := range s.recovered.Conflicts {
		set(conflict.Name, conflict.Found[0].Value)
	}
	for _, name := range s.recovered.Missing {
		_, isSecret := values.Secrets[name]
		if _, ok := values.Variables[name]; !ok && !isSecret {
			set(name, openValue)
		}
	}
	maps.Copy(values.Secrets, s.recovered.secrets)
	return values
}

// compare finds out what is missing, and whether the client is as the template gives it. The
// error says why the template gives nothing for it.
func (s *clientSurvey) compare(found *FoundClient) error {
	rendered, err := s.template.Render(s.values(), template.Policy{Namespace: s.namespace, AllowedKinds: s.settings.AllowedKinds})
	if err != nil {
		return err
	}
	found.Missing = []string{}
	isOpenAnywhere, isWanted := false, make(map[*unstructured.Unstructured]bool)
	for _, object := range rendered {
		ref := kube.RefOf(object.Unstructured)
		live := s.lookUp(ref.GroupVersionKind().GroupKind(), ref.Name)
		isWanted[live] = true
		switch {
		case live != nil:
			isOpenAnywhere = s.compareObject(found, object.Unstructured, live) || isOpenAnywhere
		case s.unlisted[ref.GroupVersionKind().GroupKind()]:
			isOpenAnywhere = true
		default:
			found.Missing = append(found.Missing, ref.Key())
		}
	}
	for _, object := range s.objects {
		if !isWanted[object] {
			found.Differences = append(found.Differences, kube.RefOf(object).Key()) // it is not in the template any more
		}
	}
	isDifferent := len(found.Missing) > 0 || len(found.Differences) > 0 || len(s.recovered.Conflicts) > 0
	isCurrent := !isDifferent && !isOpenAnywhere
	if isDifferent || isCurrent {
		found.IsUpToDate = &isCurrent
	}
	if isCurrent {
		found.Revision = s.template.Revision()
	}
	return nil
}

// compareObject notes what is not as the template gives it. It reports whether the values of some
// fields are not known.
func (s *clientSurvey) compareObject(found *FoundClient, object, live *unstructured.Unstructured) bool {
	foldStringData(object)
	if live.GetLabels()[ClientLabel] != "" {
		label(object, s.name)
	}
	if names := secretNames(live); len(names) > 0 {
		_ = unstructured.SetNestedField(object.Object, strings.Join(names, ","), "metadata", "annotations", secretsAnnotation)
	}
	agreement := s.fields.Agreement(object, live, isOpen)
	key := kube.RefOf(live).Key()
	for _, path := range agreement.Differing {
		found.Differences = append(found.Differences, key+" "+path)
	}
	if live.GetDeletionTimestamp() != nil {
		found.Differences = append(found.Differences, key+" metadata.deletionTimestamp")
	}
	return len(agreement.Open) > 0
}

// show sets what is shown of the live objects' values. A value that may hold a secret is a hash.
func (s *clientSurvey) show(found *FoundClient) {
	url, ingress := addressOf(s.objects)
	if ingress != nil {
		found.URL = s.shown(ingress, url)
	}
	containers := make(map[string]managedfields.Fields)
	for _, object := range s.objects {
		if !isStatefulSet(object) {
			continue
		}
		images := make(managedfields.Fields)
		for _, list := range []string{"containers", "initContainers"} {
			for _, container := range nestedMaps(object, "spec", "template", "spec", list) {
				if image, ok := container["image"].(string); ok {
					images[fmt.Sprintf("spec.template.spec.%s[%v].image", list, container["name"])] = s.shown(object, image)
				}
			}
		}
		containers[kube.RefOf(object).Key()] = images
	}
	found.Images = imagesOf(containers)
}

// shown returns what is shown of a value of a live object.
func (s *clientSurvey) shown(object *unstructured.Unstructured, value string) string {
	if s.hasUnknownSecrets(object) {
		return s.fields.Hide(object, value)
	}
	return s.fields.Show(object, value, "")
}

// hasUnknownSecrets reports whether a live object holds secrets of its client's configuration
// that it does not tell.
func (s *clientSurvey) hasUnknownSecrets(object *unstructured.Unstructured) bool {
	return slices.ContainsFunc(secretNames(object), func(name string) bool {
		return s.recovered == nil || s.recovered.secrets[name] == ""
	})
}

// nestedMaps returns those items of a list that are mappings.
func nestedMaps(object *unstructured.Unstructured, path ...string) []map[string]any {
	field, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
	items, _ := field.([]any)
	var found []map[string]any
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			found = append(found, fields)
		}
	}
	return found
}

// states are those of StatefulSets, the one that counts for a client with several first: that
// of the worst, and `stopped` only if all are.
var states = []rollout.HealthState{rollout.HealthFailing, rollout.HealthProgressing, rollout.HealthReady, rollout.HealthStopped}

// health is how the client's pods are.
func (s *clientSurvey) health() (ClientHealth, error) {
	found := ClientHealth{State: ClientAbsent}
	worst := len(states)
	for _, object := range s.objects {
		if !isStatefulSet(object) {
			continue
		}
		pods := s.podsOf(object)
		parts := rollout.Parts{Pods: pods, Claims: s.mountedBy(pods), Refusals: s.refusalsByOwner[object.GetUID()]}
		health, err := rollout.HealthOf(object, parts)
		if err != nil {
			return found, err
		}
		found.Desired, found.Ready = plus(found.Desired, health.Desired), plus(found.Ready, health.Ready)
		if rank := slices.Index(states, health.State); rank < worst {
			worst = rank
			found.State, found.Reason = string(health.State), s.settings.Hidden.Redact(health.Reason)
			if s.hasUnknownSecrets(object) && health.State == rollout.HealthFailing {
				found.Reason = "the reason is not shown, as it may hold a secret of the client that is not known here"
			}
		}
	}
	return found, nil
}

func plus(sum *int64, number int32) *int64 {
	total := int64(number)
	if sum != nil {
		total += *sum
	}
	return &total
}

// podsOf returns the pods of a StatefulSet; nil where pods could not be listed.
func (s *survey) podsOf(statefulSet *unstructured.Unstructured) []*unstructured.Unstructured {
	if s.pods == nil {
		return nil
	}
	return append([]*unstructured.Unstructured{}, s.podsByOwner[statefulSet.GetUID()]...)
}

// mountedBy returns the claims that pods mount.
func (s *survey) mountedBy(pods []*unstructured.Unstructured) []*unstructured.Unstructured {
	var mounted []*unstructured.Unstructured
	for _, pod := range pods {
		for _, name := range claimVolumes(pod, "spec", "volumes") {
			if claim := s.claimsByName[name]; claim != nil {
				mounted = append(mounted, claim)
			}
		}
	}
	return mounted
}
