"""A repository as microservice demos have it: eleven Deployments, each in a file with its Service.

What real ones hold and a plain example lacks is here on purpose: init containers, probes of every kind,
security contexts, the downward API, a ConfigMap as variables and as files, and mostly no `replicas`.
"""

from collections.abc import Iterator, Sequence

SERVICES = (
    "adservice",
    "cartservice",
    "checkoutservice",
    "currencyservice",
    "emailservice",
    "frontend",
    "loadgenerator",
    "paymentservice",
    "productcatalogservice",
    "recommendationservice",
    "shippingservice",
)
SCALED = {"frontend": 4, "cartservice": 4, "checkoutservice": 3}
"""Where the manifest states replicas; the others run one."""
STUCK_AFTER = 15
"""Seconds without progress after which a Deployment of the frontend has failed."""
RELEASES = 8

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  CURRENCY: EUR
  BANNER: "Welcome to v{release}"
  flags.json: |
    {{"release": {release}, "newCheckout": true}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: redis-cart
---
apiVersion: v1
kind: Service
metadata:
  name: frontend-external
spec:
  type: LoadBalancer
  selector:
    app: frontend
  ports:
  - name: http
    port: 80
    targetPort: 8080
"""

SERVICE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
spec:
{scale}  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
      annotations:
        sidecar.istio.io/rewriteAppHTTPProbers: "true"
    spec:
      serviceAccountName: {name}
      terminationGracePeriodSeconds: 5
      securityContext:
        fsGroup: 1000
        runAsGroup: 1000
        runAsNonRoot: true
        runAsUser: 1000
      initContainers:
      - name: settings-check
        image: busybox:1.37
        command: ["sh", "-c", "test -s /etc/settings/flags.json"]
        volumeMounts:
        - name: settings
          mountPath: /etc/settings
          readOnly: true
      containers:
      - name: server
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop:
            - ALL
          privileged: false
          readOnlyRootFilesystem: true
        image: {image}
        ports:
        - containerPort: 8080
        env:
        - name: PORT
          value: "8080"
        - name: POD_IP
          valueFrom:
            fieldRef:
              fieldPath: status.podIP
        - name: MEMORY_LIMIT
          valueFrom:
            resourceFieldRef:
              resource: limits.memory
        - name: CURRENCY
          valueFrom:
            configMapKeyRef:
              name: settings
              key: CURRENCY
        # - name: DISABLE_TRACING
        #   value: "1"
        readinessProbe:
          initialDelaySeconds: 10
          httpGet:
            path: "/_healthz"
            port: 8080
            httpHeaders:
            - name: "Cookie"
              value: "shop_session-id=x-readiness-probe"
        livenessProbe:
          initialDelaySeconds: 15
          periodSeconds: 10
          grpc:
            port: 8080
        startupProbe:
          exec:
            command: ["/bin/grpc_health_probe", "-addr=:8080", "-rpc-timeout=5s"]
        resources:
          requests:
            cpu: 100m
            memory: 64Mi
          limits:
            cpu: 0.2
            memory: 0.125Gi
        volumeMounts:
        - name: settings
          mountPath: /etc/settings
          readOnly: true
        - name: scratch
          mountPath: /tmp
      volumes:
      - name: settings
        configMap:
          name: settings
      - name: scratch
        emptyDir:
          sizeLimit: 64Mi
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  type: ClusterIP
  selector:
    app: {name}
  ports:
  - name: grpc
    port: 80
    targetPort: 8080
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name}
"""

CHANGE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata: {{title: "boutique v{release}", service: boutique, environment: staging, type: standard}}
spec:
  source:
    repository: {repository}
    revision: v{release}
    paths: [{paths}]
  target: {{cluster: real, namespace: {namespace}}}
  plan:
    steps: [{steps}]
    verify: 2s
  analysis: {{errorRatio: {{max: 0.01}}, latency: {{quantile: 0.99, max: 300ms}}}}
"""


def image(service: str, release: int) -> str:
    """Return the image of a service's release."""
    return f"registry.boutique.example/microservices-demo/{service}:v0.{release}.0"


def releases() -> Iterator[dict[str, str]]:
    """Yield the files of each release, by their paths."""
    for number in range(1, RELEASES + 1):
        files = {f"kubernetes-manifests/{name}.yaml": _service(name, number) for name in SERVICES}
        yield {"kubernetes-manifests/settings.yaml": SETTINGS.format(release=number), **files}


def _service(name: str, release: int) -> str:
    scale = f"  replicas: {SCALED[name]}\n" if name in SCALED else ""
    if name == "frontend":
        scale += f"  progressDeadlineSeconds: {STUCK_AFTER}\n"
    return SERVICE.format(name=name, image=image(name, release), scale=scale)


def change(
    release: int, *, repository: str, namespace: str, canaries: Sequence[str] = (), bake: str = "2s"
) -> str:
    """Return a change file that brings a whole release: applied at once, or by canaries one after another."""
    steps = [f"{{canary: {{deployment: {name}, weights: [25, 50], bake: {bake}}}}}" for name in canaries]
    paths = [f"kubernetes-manifests/{name}.yaml" for name in ("settings", *SERVICES)]
    return CHANGE.format(
        release=release,
        repository=repository,
        namespace=namespace,
        paths=", ".join(paths),
        steps=", ".join(steps or ["{apply: {}}"]),
    )
