//go:build tools

package edge

import (
	_ "github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/traefik/traefik/v3/cmd/traefik"
	_ "sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)
