// Package storage gives every PersistentVolumeClaim a directory on the cluster's one node.
package storage

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// Name is what a StorageClass says in its field provisioner.
const Name = "martlet.dev/local-directory"

type provisioner struct{ root string }

// Provision makes a directory and describes it as a volume of the node the pod was given.
func (p *provisioner) Provision(_ context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	if options.SelectedNodeName == "" {
		return nil, controller.ProvisioningFinished, errors.New("the StorageClass must have volumeBindingMode WaitForFirstConsumer")
	}
	directory := filepath.Join(p.root, options.PVName)
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	// Pods run under uids of their own choice, and the umask has cut the mode above.
	if err := os.Chmod(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return volume(options, directory), controller.ProvisioningFinished, nil
}

func volume(options controller.ProvisionOptions, directory string) *v1.PersistentVolume {
	claim := options.PVC.Spec
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			AccessModes:                   claim.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: directory}},
			NodeAffinity:                  onlyOn(options.SelectedNodeName),
		},
	}
}

func onlyOn(node string) *v1.VolumeNodeAffinity {
	hostname := v1.NodeSelectorRequirement{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node}}
	return &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{
		NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchExpressions: []v1.NodeSelectorRequirement{hostname}}},
	}}
}

// Delete removes the directory with all that is in it.
func (p *provisioner) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	if volume.Spec.Local == nil || filepath.Dir(volume.Spec.Local.Path) != p.root {
		return fmt.Errorf("volume %s is not a directory directly under %s", volume.Name, p.root)
	}
	return os.RemoveAll(volume.Spec.Local.Path)
}

// Main runs the provisioner until it is told to end, and returns an exit code.
func Main() int {
	flags := flag.NewFlagSet("local-provisioner", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	root := flags.String("root", "", "the directory under which volumes are made")
	_ = flags.Parse(os.Args[1:]) // ExitOnError: it does not come back with an error
	if err := run(*kubeconfig, *root); err != nil {
		fmt.Fprintln(os.Stderr, "local-provisioner:", err)
		return 1
	}
	return 0
}

func run(kubeconfig, root string) error {
	if kubeconfig == "" || !filepath.IsAbs(root) {
		return errors.New("give --kubeconfig=FILE and --root=ABSOLUTE-DIRECTORY")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// One instance, so no election; a claim's own events are enough, so a slow resync.
	controller.NewProvisionController(ctx, client, Name, &provisioner{root: filepath.Clean(root)},
		controller.LeaderElection(false)).Run(ctx)
	return nil
}
