from img2imgd.request.keys import RequestKeys


def canonical_keys(request):
    return RequestKeys(prompt=request.prompt)


def frame_keys(request, frame):
    return RequestKeys(prompt=frame.prompt, seed=frame.seed)
