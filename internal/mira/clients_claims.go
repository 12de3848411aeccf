package mira

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// claimsOfClients are the claims of a namespace by what they are of.
type claimsOfClients struct {
	isKnown  bool
	byClient map[string][]FoundClaim
	orphaned []FoundClaim // nil where claims could not be listed
}

// of returns the claims of a client; nil where claims could not be listed.
func (c *claimsOfClients) of(client string) []FoundClaim {
	if !c.isKnown {
		return nil
	}
	return append([]FoundClaim{}, c.byClient[client]...)
}

// claims finds whose the claims of the namespace are. Claims have no label of ours: a claim is of
// the client whose StatefulSet has its claim template, or names it as a volume, or, where there is
// no such StatefulSet, of the client for which the template would give its name. What is of no
// client at all is left out.
func (s *survey) claims(groups map[string][]*unstructured.Unstructured) *claimsOfClients {
	found := &claimsOfClients{isKnown: s.claimObjects != nil, byClient: make(map[string][]FoundClaim)}
	if !found.isKnown {
		return found
	}
	found.orphaned = []FoundClaim{}
	users := s.claimUsers(groups)
	for _, object := range s.claimObjects {
		claim := newFoundClaim(object)
		user, isUsed := users.of(claim.Name)
		claim.Client, claim.InUse = user, isUsed || users.mounted[claim.Name]
		isClients := user != ""
		if !isUsed {
			claim.Client, isClients = s.claimClient(object)
		}
		_, isThere := groups[claim.Client]
		switch {
		case !isClients:
		case isThere:
			found.byClient[claim.Client] = append(found.byClient[claim.Client], claim)
		default:
			found.orphaned = append(found.orphaned, claim)
		}
	}
	return found
}

// claimClient returns the client that a claim is of which no StatefulSet uses. isClients reports
// whether it is of any.
func (s *survey) claimClient(claim *unstructured.Unstructured) (client string, isClients bool) {
	if client := claim.GetLabels()[ClientLabel]; client != "" {
		return client, true
	}
	if s.template == nil {
		return "", false
	}
	client, isClients = s.template.ClaimClient(claim.GetName(), claim.GetLabels(), s.knownValues())
	if !isClientName(client) {
		client = ""
	}
	return client, isClients
}

// claimUsers says which StatefulSets and pods use which claims.
type claimUsers struct {
	// templates are the clients by `<claim template>-<StatefulSet>`; "" for a StatefulSet of none.
	templates map[string]string
	// volumes are the clients by the names of claims that pod templates name.
	volumes map[string]string
	mounted map[string]bool
}

func (u *claimUsers) of(claim string) (client string, isUsed bool) {
	if client, isUsed = u.volumes[claim]; isUsed {
		return client, true
	}
	base, isOrdinal := kube.CutOrdinal(claim)
	client, isUsed = u.templates[base]
	return client, isUsed && isOrdinal
}

func (s *survey) claimUsers(groups map[string][]*unstructured.Unstructured) *claimUsers {
	users := &claimUsers{templates: make(map[string]string), volumes: make(map[string]string), mounted: make(map[string]bool)}
	clients := make(map[*unstructured.Unstructured]string)
	for client, objects := range groups {
		for _, object := range objects {
			clients[object] = client
		}
	}
	for _, object := range s.objects {
		if !isStatefulSet(object) {
			continue
		}
		templates := kube.ClaimTemplates(object)
		for _, template := range templates {
			users.templates[template+"-"+object.GetName()] = clients[object]
		}
		for volume, claim := range claimVolumes(object, "spec", "template", "spec", "volumes") {
			if !slices.Contains(templates, volume) { // the claim template takes the place of the volume
				users.volumes[claim] = clients[object]
			}
		}
	}
	for _, pod := range s.pods {
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		if phase == "Succeeded" || phase == "Failed" {
			continue
		}
		for _, claim := range claimVolumes(pod, "spec", "volumes") {
			users.mounted[claim] = true
		}
	}
	return users
}

// claimVolumes returns the claims that volumes name, by the names of the volumes.
func claimVolumes(object *unstructured.Unstructured, path ...string) map[string]string {
	claims := make(map[string]string)
	for _, volume := range nestedMaps(object, path...) {
		name, _ := volume["name"].(string)
		if claim, _, _ := unstructured.NestedString(volume, "persistentVolumeClaim", "claimName"); claim != "" {
			claims[name] = claim
		}
	}
	return claims
}

// newFoundClaim reads a claim. Its size is that of the volume, or the one that is asked for as long
// as there is none.
func newFoundClaim(object *unstructured.Unstructured) FoundClaim {
	phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	size, _, _ := unstructured.NestedString(object.Object, "status", "capacity", "storage")
	if size == "" {
		size, _, _ = unstructured.NestedString(object.Object, "spec", "resources", "requests", "storage")
	}
	quantity, err := resource.ParseQuantity(size)
	if err != nil {
		quantity = resource.Quantity{}
	}
	return FoundClaim{Name: object.GetName(), Size: quantity, Phase: phase}
}
