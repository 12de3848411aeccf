package provider

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// fleetGuides go on from each other, in this order: with the same clients, in the same folder.
var fleetGuides = []string{
	"getting-started", "rights", "review-drift", "ship-a-new-mira-version", "keep-recover-and-delete-data", "troubleshooting",
	"write-a-client-template",
}

// migrationGuide begins with the clients of the Django controller.
const migrationGuide = "move-from-the-django-controller"

// Every block of every guide is run, is a file, is what a run prints, or says why it is none of
// these.
func TestGuides_blocks(t *testing.T) {
	for _, guide := range acctest.GuideNames(t) {
		isFollowed := guide == migrationGuide || slices.Contains(fleetGuides, guide)
		hasRun := false
		for _, block := range acctest.GuideBlocks(t, guide) {
			switch {
			case block.Mark == acctest.NotRunMark:
				t.Logf("%s is not run: %s", block, block.Argument)
			case !isFollowed:
				t.Errorf("%s: no test follows this guide: put it into fleetGuides (guides_acc_test.go), "+
					"or write <!-- %s: the reason --> above the block", block, acctest.NotRunMark)
			case block.Language == "shell":
				hasRun = true
			case block.Language == "" && !hasRun:
				t.Errorf("%s shows an output, and there are no commands before it that print it: "+
					"write <!-- %s: the reason --> above it, if that cannot be", block, acctest.NotRunMark)
			case block.Language != "" && block.Mark != acctest.FileMark:
				t.Errorf("%s: write above it <!-- %s: the name of the file --> or <!-- %s: the reason -->",
					block, acctest.FileMark, acctest.NotRunMark)
			}
		}
	}
}

// Whoever does what the guides say, block by block and to the letter, sees what they show.
func TestAccGuides(t *testing.T) {
	s := acctest.NewGuideShell(t)
	s.WriteFile(t, "client_template.yaml", acctest.SampleTemplate(t))
	for _, guide := range fleetGuides {
		if !t.Run(guide, func(t *testing.T) { s.Follow(t, guide) }) {
			return // the next ones go on from here
		}
	}
	s.Do(t, "terraform destroy -refresh=false")
}

// djangoApplication is what there is of the Django controller itself. Its StatefulSet has no pods
// here: nothing looks at them.
const djangoApplication = `kubectl create namespace controller
kubectl create serviceaccount controller -n controller
kubectl create configmap templates-yaml -n controller --from-file=client_template.yaml
kubectl create configmap mira-cluster-controller-config -n controller --from-literal=CLUSTER_DOMAIN=mira.example
kubectl apply -f - <<'EOF'
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: mira-cluster-controller
  namespace: controller
spec:
  serviceName: mira-cluster-controller
  selector:
    matchLabels: { app: mira-cluster-controller }
  template:
    metadata:
      labels: { app: mira-cluster-controller }
    spec:
      containers: [{ name: mira-cluster-controller, image: mira-cluster-controller }]
EOF
`

// A fleet of the Django controller comes under Terraform by the guide: a client whose name begins
// with a digit, one that was changed by hand, and one that is half-made.
func TestAccGuides_migration(t *testing.T) {
	s := acctest.NewGuideShell(t)
	sample := acctest.SampleTemplate(t)
	s.WriteFile(t, "client_template.yaml", sample)
	s.WriteFile(t, "controller.yaml", acctest.DocumentedRights(t))
	s.Do(t, djangoApplication)
	for name, email := range map[string]string{
		"4chem": "info@4chem.example", "acme": "admin@acme.example", "globex": "it@globex.example", "initech": "ops@initech.example",
	} {
		s.DjangoSave(t, sample, name, email)
	}
	s.Do(t, "kubectl delete statefulset mira-initech -n default\n"+
		"kubectl annotate ingress mira-acme -n default nginx.ingress.kubernetes.io/proxy-body-size=64m --field-manager="+acctest.DjangoManager)
	s.WaitReady(t)
	before := s.UIDs(t, "Pod")
	delete(before, "mira-initech-0") // of the StatefulSet that the client is to lack
	s.Follow(t, migrationGuide)
	after := s.UIDs(t, "Pod")
	for name, uid := range before {
		if after[name] != uid {
			t.Errorf("pod %s was replaced: %s before, and %s after", name, uid, after[name])
		}
	}
	if after["mira-initech-0"] == types.UID("") {
		t.Error("the half-made client has no pod: the apply did not complete it")
	}
}
