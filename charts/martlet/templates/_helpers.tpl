{{- define "martlet.labels" -}}
app.kubernetes.io/name: martlet
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "martlet.selector" -}}
app.kubernetes.io/name: martlet
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "martlet.image" -}}
{{ .root.Values.images.registry }}/{{ .name }}:{{ .root.Values.images.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* What the operator may do where it works: what its loop reads and writes, and no more. */}}
{{- define "martlet.rules" -}}
- apiGroups: [martlet.dev]
  resources: [finetunejobs, evalruns, quantizedmodels, inferenceservices]
  verbs: [get, list, watch]
- apiGroups: [martlet.dev]
  resources: [finetunejobs/status, evalruns/status, quantizedmodels/status, inferenceservices/status]
  verbs: [patch]
# Owner references that block deletion are only admitted from those who may set finalizers.
- apiGroups: [martlet.dev]
  resources: [finetunejobs/finalizers, evalruns/finalizers, quantizedmodels/finalizers, inferenceservices/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
# Whether the Gateway that a service names exists.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Which claim the namespace keeps models and data in.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
{{- end }}
