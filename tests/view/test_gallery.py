"""Gallery of many images."""

from helpers.drawing import grey_image, people, render

from camerapose.view.gallery import draw_gallery
from camerapose.view.rows import Row


def test_2d_and_3d_are_paired(tmp_path):
    rows = [Row(people(), grey_image(), f"photo {i}") for i in range(4)]
    figure = draw_gallery([*rows, Row(people(2, [-1, 1]))])
    assert [ax.get_visible() for ax in figure.axes] == [True] * 10 + [False] * 2
    assert figure.axes[4].texts[-1].get_text() == "photo 2"
    assert figure.axes[5].texts[-1].get_text() == "4.0 m away"
    assert render(figure, tmp_path).std() > 1
